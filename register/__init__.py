"""Containers in, records in etcd out.

What a container offers, whether it is ready, and the lease that vouches for it.
"""
