"""A name and what to do with its instances in, overrides in etcd and how far they are out."""
