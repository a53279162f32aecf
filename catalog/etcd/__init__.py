"""What the store is made of: one connection to etcd, its watch, and the library below them."""
