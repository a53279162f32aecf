"""What HAProxy runs of each snapshot -> how long instances took from their container's start."""
