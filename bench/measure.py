"""What every part of the bench shares: figures, percentiles, readings from /proc, a table. Measures nothing itself."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `wanted` is the bound that issue 3 sets, in words, and `good` whether it is kept."""

    name: str
    value: float
    unit: str
    wanted: str = ""
    good: bool | None = None

    @property
    def text(self) -> str:
        return (
            f"{self.value:,.0f}"
            if self.value == int(self.value)
            else f"{self.value:,.{_digits(self.value)}f}"
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def at_most(name: str, value: float, unit: str, bound: float, wanted: str = "") -> Figure:
    """Return a figure that has an upper bound."""
    return Figure(name, value, unit, wanted or f"≤ {bound:g}", value <= bound)


def at_least(name: str, value: float, unit: str, bound: float) -> Figure:
    """Return a figure that has a lower bound."""
    return Figure(name, value, unit, f"≥ {bound:g}", value >= bound)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which so many percent are (nearest rank); nan without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered) + 0.5) - 1))]


def spread(name: str, values_ms: Sequence[float]) -> list[Figure]:
    """Return p50, p90 and p99 of what took so long."""
    return [Figure(f"{name}, p{p}", percentile(values_ms, p), "ms") for p in (50, 90, 99)]


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds of a core that these processes have used so far; one that is gone counts nothing."""
    return sum(_ticks(pid) for pid in pids) / TICKS_PER_S


def rss_mb(pid: int, *, peak: bool = False) -> float:
    """Return the resident memory of a process, now or at its peak."""
    word = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(word)) / 1024


def age_s(pid: int) -> float:
    """Return how long ago a process was started; the kernel counts it in hundredths of a second."""
    started = int(_stat(pid)[19]) / TICKS_PER_S
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text in columns; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _digits(value: float) -> int:
    return 1 if abs(value) >= 1 else 2


def _ticks(pid: int) -> int:
    try:
        fields = _stat(pid)
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on: proc(5) counts from 1, and the name may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
