"""Read from /proc what a process uses: CPU time, memory, and for how long it has run."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Positions in /proc/PID/stat after the name: proc_pid_stat(5) counts them from 3.
_USER_TICKS = 11
_SYSTEM_TICKS = 12
_START_TICKS = 19


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds that these processes have used; one that is gone counts nothing."""
    return sum(_ticks(pid) for pid in pids) / TICKS_PER_S


def rss_mb(pid: int, *, peak: bool = False) -> float:
    """Return the resident memory of a process, now or at its peak."""
    word = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(word):
            _, kb, _ = line.split()
            return int(kb) / 1024

    raise ValueError(f"/proc/{pid}/status has no {word}")


def pss_mb(pid: int) -> float:
    """Return the resident memory of a process; what it shares counts for its part of that only."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            _, kb, _ = line.split()
            return int(kb) / 1024

    raise ValueError(f"/proc/{pid}/smaps_rollup has no Pss:")


def age_s(pid: int) -> float:
    """Return how long ago a process was started; the kernel counts it in hundredths of a second."""
    started_s = int(_stat(pid)[_START_TICKS]) / TICKS_PER_S
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s


def _ticks(pid: int) -> int:
    try:
        fields = _stat(pid)
    except OSError:
        return 0

    return int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, which may hold spaces."""
    text = Path(f"/proc/{pid}/stat").read_text()
    _, _, fields = text.rpartition(")")
    return fields.split()
