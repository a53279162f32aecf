"""A network namespace in a file: make it, enter it, find who lives in it. Nothing of it is seen outside.

The file is a mount that keeps the namespace alive without a process in it (network_namespaces(7)). It stands in the
fleet's own folder and not in /run/netns, so that two checkouts never meet.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.process import children, run

_CLONE_NEWNET = 0x40000000  # sched.h
_libc = ctypes.CDLL(None, use_errno=True)
COMMAND_S = 30.0


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace; `path` is what nsenter --net= wants."""

    name: str
    path: Path

    def create(self) -> None:
        """Make it, with loopback up."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        run("unshare", f"--net={self.path}", "true")
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command: str) -> list[str]:
        """Return the command that runs another one inside. Only the network changes: dockerd needs /sys as it is."""
        return ["nsenter", f"--net={self.path}", *command]

    def run(self, *command: str, check: bool = True, timeout_s: float = COMMAND_S) -> str:
        """Run a command inside and return what it printed. Raises LabError when it fails."""
        return run(*self.command(*command), check=check, timeout_s=timeout_s)

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
        """Let this thread, and only it, live in the namespace: sockets made meanwhile stay there for good."""
        with open("/proc/thread-self/ns/net", "rb") as home, self.path.open("rb") as there:  # noqa: PTH123  no path of ours
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def pids(self) -> list[int]:
        """Return all processes in it and all that they started: containers have a namespace of their own."""
        try:
            mine = f"net:[{self.path.stat().st_ino}]"
        except FileNotFoundError:
            return []
        roots = [pid for pid in _all_pids() if _network_of(pid) == mine and pid != os.getpid()]
        return sorted(children(roots))


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    if _libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  names only, of hundreds


def _network_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115  a hundred a call
    except OSError:  # gone meanwhile
        return ""
