"""Questions that people ask -> what is published of a container, and why not, said in etcd."""
