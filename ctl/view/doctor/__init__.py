"""What was seen of etcd, hosts and ports -> findings, each with what helps. No I/O."""
