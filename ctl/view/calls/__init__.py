"""Calls as they come -> rows for people."""
