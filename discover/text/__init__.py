"""Listeners and servers in, the text of haproxy.cfg out; a text in, its sections out. Pure."""
