"""What a list of services shows besides its counts: for how long, and which rows. No I/O."""
