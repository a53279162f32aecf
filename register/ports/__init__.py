"""The engine's containers in, also those only created; out: the ports of the host that they have.

This host's docker-discover keeps HAProxy off these ports.
"""
