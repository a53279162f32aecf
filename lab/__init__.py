"""Several hosts and an etcd cluster on one machine, as processes in network namespaces.

Commands and faults in; hosts that can be called and asked out.
"""
