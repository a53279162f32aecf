"""Import etcd3 and grpc in the only order that works. No other module imports either."""

import os
import sys

# Before grpc is imported. With grpc's fork handlers, 4 % of the children of a subprocess with user=
# or preexec_fn crash while a call is open (docs/research/etcd.md section 2); without them 0 of 800.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# grpc's own lines on stderr would stand between ours (one for each refused TLS handshake); every
# failure reaches us as the status of a call.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from catalog.etcd.rpc import rpc_module
from catalog.without_modules import as_if_missing, without_modules

# Before etcd3 is imported: its own etcdrpc package cannot be loaded, see catalog.etcd.rpc.
etcdrpc = rpc_module()
sys.modules["etcd3.etcdrpc"] = etcdrpc

# grpc for asyncio, and asyncio itself, which brings ssl: 5 MB.
with without_modules("grpc.aio"), as_if_missing("asyncio"):
    import etcd3
    import grpc
    import grpc._common

# For the sake of Ctrl-C, a thread that waits for an answer wakes up ten times a second there: a
# tenth of a percent of a core for each open watch. Our threads end by a cancelled call instead,
# which wakes them at once.
grpc._common.MAXIMUM_WAIT_TIMEOUT = 5.0

__all__ = ["etcd3", "etcdrpc", "grpc"]
