"""This machine as its kernel tells: sysctls, which boot it is, and which addresses it has."""

import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

PROC = Path("/proc/sys")


def sysctls(names: Iterable[str], proc: Path = PROC) -> Mapping[str, int | None]:
    """Return the number that each of these has; None if the kernel has no such."""
    return {name: _number(proc / name.replace(".", "/")) for name in names}


def boot_id(proc: Path = PROC) -> str:
    """Return what tells this boot from all others; empty if it cannot be read."""
    try:
        return (proc / "kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_own(address: str) -> bool:
    """Whether this machine has an address: only then can a socket be bound to it."""
    if not address:
        return False  # to bind it is to take any address

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        try:
            one.bind((address, 0))
        except (OSError, OverflowError, ValueError):
            return False
    return True


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
