"""What a value may be: patterns, types, the labels that set it, and what looks secret. No I/O."""
