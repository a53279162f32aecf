"""This host's identity in, its owner key and its one lease in etcd out."""
