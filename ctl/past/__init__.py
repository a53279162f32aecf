"""The past: what all journals say of it, and what etcd itself still knows of an earlier day."""
