"""What people ask of the pair, and what it answers, as both stand in etcd."""
