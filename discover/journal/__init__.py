"""What changed -> lines of a journal in STATE_DIR, written beside all changes, never before."""
