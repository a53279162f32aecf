"""Commands in, replies out: HAProxy's sockets, processes, ports and map files.

Decides nothing about services.
"""
