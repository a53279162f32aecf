"""What docker-register and docker-discover share.

Keys and records as bytes, and the only door to etcd.
"""
