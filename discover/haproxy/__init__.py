"""Commands in, replies out: HAProxy's sockets, processes and ports.

Decides nothing about services.
"""
