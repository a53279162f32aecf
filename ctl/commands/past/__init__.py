"""Commands about the past: what changed, when, why, and how fast it came to every host."""
