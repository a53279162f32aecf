"""What a process tells about itself: what works, what is refused and what was counted."""
