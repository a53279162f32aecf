"""What /proc says of processes that are not ours: proc(5)."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")
STATE, PARENT = 0, 1  # of a stat file's fields, counted from the one after the name


def children(parent: int) -> Sequence[int]:
    """Return the processes that another one started."""
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _field(PROC / str(pid) / "stat", PARENT) == str(parent)]


def first_of(program: str, word: str) -> int:
    """Return the first process of a program with such a word in its command line; 0 if none.

    The word only has to begin so. Children of such a process do not count.
    """
    entries = (entry for entry in PROC.iterdir() if entry.name.isdigit())
    found = [
        int(entry.name) for entry in entries if _runs(entry, program) and _has(entry, word.encode())
    ]
    return next((pid for pid in sorted(found) if _parent(pid) not in found), 0)


def is_runnable(pid: int) -> bool:
    """Whether a thread of a process computes, or waits for a processor to."""
    with contextlib.suppress(OSError):
        return any(
            _field(thread / "stat", STATE) == "R" for thread in (PROC / str(pid) / "task").iterdir()
        )
    return False


def _runs(process: Path, program: str) -> bool:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text().strip() == program
    return False


def _has(process: Path, word: bytes) -> bool:
    with contextlib.suppress(OSError):
        return any(
            each.startswith(word) for each in (process / "cmdline").read_bytes().split(b"\0")
        )
    return False


def _parent(pid: int) -> int:
    return int(_field(PROC / str(pid) / "stat", PARENT) or 0)


def _field(stat: Path, number: int) -> str:
    """Return one field; empty if the process has ended since.

    Its name may hold spaces and parentheses.
    """
    with contextlib.suppress(OSError, IndexError):
        return stat.read_text().rpartition(")")[2].split()[number]
    return ""
