"""Ports for listeners of tests: none that the kernel gives to a connection, or the test beside this
one takes.
"""

import itertools
import os
import random
import socket

# Below net.ipv4.ip_local_port_range (32768 and up): a connection that goes out, or a server on port
# 0, would else take
# one between the moment it was found free and the moment it is listened on.
_FIRST, _END, _WORKERS = 14_000, 32_000, 4


def _candidates() -> "itertools.cycle[int]":
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    many = (_END - _FIRST) // _WORKERS
    own = range(_FIRST + worker * many, _FIRST + (worker + 1) * many)
    begin = random.randrange(many)
    return itertools.cycle((*own[begin:], *own[:begin]))


_next = _candidates()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on now; not the same one again for long."""
    for port in itertools.islice(_next, _END):
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port from {_FIRST} to {_END}")


def free_ports(count: int) -> list[int]:
    """Return so many of them."""
    return [free_port() for _ in range(count)]
