"""Import etcd3 and grpc in the one order in which they work. Nothing else of the project imports either."""

import os
import sys

# Before grpc is imported. With its fork handlers, children of subprocess with user= or preexec_fn crash in 4 % of
# spawns while a call is open (research/etcd.md section 2); 0 of 800 without.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Its own lines on stderr would stand between ours (a refused TLS handshake, each time); every failure reaches us
# as the status of a call.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from catalog.etcd.rpc import rpc_module
from catalog.etcd.without_modules import without_modules

# Before etcd3 is imported: its own etcdrpc package cannot be loaded, see catalog.etcd.rpc.
etcdrpc = rpc_module()
sys.modules["etcd3.etcdrpc"] = etcdrpc

with without_modules("grpc.aio"):  # the same for asyncio: 1.5 MB
    import etcd3
    import grpc
    import grpc._common

# Whoever waits for an answer wakes up ten times a second there, for the sake of Ctrl-C: for each open watch that is a
# tenth of a percent of a core. Our threads are ended by a cancelled call, which wakes them at once.
grpc._common.MAXIMUM_WAIT_TIMEOUT = 5.0

__all__ = ["etcd3", "etcdrpc", "grpc"]
