"""Notice that the engine's socket was deleted, although this container still has it mounted.

A file that is mounted alone is an inode. An engine deletes its socket when it ends, or when it
starts, and makes another one, so nothing ever answers here again. Only another start of the
container mounts the new one.
"""

import errno
import os
import socket
from pathlib import Path

UNIX = "unix://"
DEAD = (
    "the engine deleted the socket that is mounted here, and its new one is not seen from here: "
    "start this container again (with --restart always it does so itself)"
)
STRANDED = (
    "this container has no restart policy: when the engine restarts, it is not found again from "
    "here; add --restart always, or mount the folder of its socket"
)


def is_alone(docker_host: str) -> bool:
    """Whether the engine's socket is mounted by itself, and not its folder."""
    return docker_host.startswith(UNIX) and os.path.ismount(docker_host.removeprefix(UNIX))


def is_dead(docker_host: str) -> bool:
    """Whether the engine's socket has no name any more, and nobody listens at it.

    With its folder mounted it never is. An engine whose socket was only removed still listens.
    """
    if not docker_host.startswith(UNIX):
        return False

    path = docker_host.removeprefix(UNIX)
    try:
        if Path(path).stat().st_nlink > 0:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            return probe.connect_ex(path) == errno.ECONNREFUSED
    except OSError:
        return False
