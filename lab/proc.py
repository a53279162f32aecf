"""Read what the kernel knows of processes: parents, start times and states, from /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

# Positions in /proc/PID/stat after the name: proc_pid_stat(5) counts them from 3.
_STATE = 0
_PARENT = 1
_START_TICKS = 19


def all_pids() -> list[int]:
    """Return every process of this machine."""
    names = os.listdir("/proc")  # noqa: PTH208  names only, of hundreds
    return [int(name) for name in names if name.isdigit()]


def with_descendants(roots: Iterable[int]) -> set[int]:
    """Return these processes and all that descend from them."""
    children = _children()
    found: set[int] = set()
    unseen = list(roots)
    while unseen:
        pid = unseen.pop()
        if pid in found:
            continue

        found.add(pid)
        unseen += children.get(pid, [])
    return found


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        fields = _fields(Path(f"/proc/{pid}/stat"))
        if fields:
            parent = int(fields[_PARENT])
            children.setdefault(parent, []).append(pid)
    return children


def started_ticks(pid: int) -> int | None:
    """Return when a process started, in ticks since boot; None if it is gone or a zombie."""
    fields = _fields(Path(f"/proc/{pid}/stat"))
    if not fields or fields[_STATE] in ("Z", "X"):
        return None

    return int(fields[_START_TICKS])


def thread_states(pid: int) -> set[str]:
    """Return the states that the threads of a process are in."""
    states = set()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        fields = _fields(stat)
        if fields:
            states.add(fields[_STATE])
    return states


def program(pid: int) -> str:
    """Return the name of a process's program; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _fields(stat: Path) -> list[str]:
    """Return the fields after the name, which may hold spaces; none if the process is gone."""
    try:
        text = stat.read_text()
    except OSError:
        return []

    _, _, fields = text.rpartition(")")
    return fields.split()
