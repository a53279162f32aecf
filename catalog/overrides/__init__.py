"""Overrides as they stand in etcd: what people change of a service for a while. No I/O."""
