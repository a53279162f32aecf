"""The catalog in, claims and holds in etcd out.

They say on all hosts alike which service has a port, a host name or a default name. Every
docker-discover writes them for all services; each write is a compare-and-swap.
"""
