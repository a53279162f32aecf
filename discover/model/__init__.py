"""A snapshot in, listeners and servers out.

Who has a port, who is called, how it is checked. Pure.
"""
