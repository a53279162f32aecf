"""What the pair answers -> rows and sentences for people. No I/O."""
