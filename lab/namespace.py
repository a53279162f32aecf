"""A network namespace in a file: make it, enter it, list its processes. It is invisible outside.

The file is a mount that keeps the namespace alive without a process in it (network_namespaces(7)).
It is in the fleet's own folder and not in /run/netns, so that two checkouts never meet.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.proc import all_pids, with_descendants
from lab.process import run

_CLONE_NEWNET = 0x40000000  # sched.h
_libc = ctypes.CDLL(None, use_errno=True)
COMMAND_S = 30.0


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace; `path` is for nsenter --net=."""

    name: str
    path: Path

    def create(self) -> None:
        """Make it, with loopback up."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        run("unshare", f"--net={self.path}", "true")
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command: str) -> list[str]:
        """Return the command that runs another one inside.

        Only the network changes: dockerd needs /sys as it is.
        """
        return ["nsenter", f"--net={self.path}", *command]

    def run(self, *command: str, check: bool = True, timeout_s: float = COMMAND_S) -> str:
        """Run a command inside and return its output. Raises LabError when it fails."""
        inside = self.command(*command)
        return run(*inside, check=check, timeout_s=timeout_s)

    def popen(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command inside; its output can be read line by line."""
        return subprocess.Popen(
            self.command(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Move this thread, and only it, into the namespace; sockets made meanwhile stay there."""
        home = Path("/proc/thread-self/ns/net")
        with home.open("rb") as outside, self.path.open("rb") as inside:
            _setns(inside.fileno())
            try:
                yield
            finally:
                _setns(outside.fileno())

    def pids(self) -> list[int]:
        """Return its processes and their descendants: containers have namespaces of their own."""
        try:
            own = self.link()
        except FileNotFoundError:
            return []

        inside = [pid for pid in all_pids() if _network_of(pid) == own]
        roots = set(inside) - {os.getpid()}
        return sorted(with_descendants(roots))

    def link(self) -> str:
        """Return what /proc/PID/ns/net of its processes points at. Raises FileNotFoundError."""
        return f"net:[{self.path.stat().st_ino}]"


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def _network_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115  a hundred a call
    except OSError:  # gone meanwhile
        return ""
