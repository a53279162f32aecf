"""What /proc says of processes that are not ours: proc(5)."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")
# Of a stat file's fields, counted from the one after the name.
STATE = 0
PARENT = 1
STARTED = 19
# A version 2 and a version 1 of cgroups(7), as a container sees its own.
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
KB = 1024


def children(parent: int) -> Sequence[int]:
    """Return the processes that another one started."""
    return [
        int(process.name)
        for process in _processes()
        if _field(process / "stat", PARENT) == str(parent)
    ]


def first_of(program: str, word: str) -> int:
    """Return the first process of a program with such a word in its command line; 0 if none.

    The word only has to begin so. Children of such a process do not count.
    """
    found = [
        int(process.name)
        for process in _processes()
        if _runs(process, program) and _has(process, word.encode())
    ]
    no_children = (pid for pid in sorted(found) if _parent(pid) not in found)
    return next(no_children, 0)


def started(pid: int) -> int:
    """Return when a process started, in ticks since the machine did; 0 if it has ended."""
    return int(_field(PROC / str(pid) / "stat", STARTED) or 0)


def own_number(pid: int) -> int:
    """Return the number of a process as it knows it itself, in its container; 0 if it has ended."""
    return int((_status(pid, "NSpid") or ["0"])[-1])


def memory_bytes(pid: int) -> int:
    """Return the memory that would be free without a process.

    Without the program itself, which all its processes share. (Pss would be the word for it, but
    the kernel tells it only to those who may trace the process.)
    """
    return int((_status(pid, "RssAnon") or ["0"])[0]) * KB


def machine_bytes() -> int:
    """Return the memory of this machine."""
    line = (PROC / "meminfo").read_text().partition("MemTotal:")[2]
    return int(line.split()[0]) * KB


def container_bytes() -> int | None:
    """Return the memory that this container may have; None if nobody limits it."""
    for limit in map(Path, LIMITS):
        with contextlib.suppress(OSError, ValueError):
            return int(limit.read_text())
    return None


def is_runnable(pid: int) -> bool:
    """Whether a thread of a process computes, or waits for a processor to."""
    with contextlib.suppress(OSError):
        threads = (PROC / str(pid) / "task").iterdir()
        return any(_field(thread / "stat", STATE) == "R" for thread in threads)
    return False


def _processes() -> Sequence[Path]:
    return [entry for entry in PROC.iterdir() if entry.name.isdigit()]


def _runs(process: Path, program: str) -> bool:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text().strip() == program
    return False


def _has(process: Path, beginning: bytes) -> bool:
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_bytes().split(b"\0")
        return any(word.startswith(beginning) for word in words)
    return False


def _parent(pid: int) -> int:
    return int(_field(PROC / str(pid) / "stat", PARENT) or 0)


def _status(pid: int, name: str) -> list[str]:
    """Return the words of a line of a status file; none if the process has ended."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return line.split()[1:]
    return []


def _field(stat: Path, number: int) -> str:
    """Return one field; empty if the process has ended since."""
    with contextlib.suppress(OSError, IndexError):
        # The name comes before, and may hold spaces and parentheses.
        return stat.read_text().rpartition(")")[2].split()[number]
    return ""
