"""Questions that people ask -> what HAProxy runs here, said in etcd. And that this host is here."""
