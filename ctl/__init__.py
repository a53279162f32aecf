"""Asking and steering the pair: the program `tandem`."""
