"""What stands in etcd: the record of an instance, claims, holds, a host's ports. No I/O."""
