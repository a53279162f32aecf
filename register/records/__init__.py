"""Wanted instances and the host's own keys in, puts and deletes out."""
