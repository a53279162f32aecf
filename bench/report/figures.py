"""Measured values with their bounds, and percentiles. Measures nothing."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

CELL = " | "  # between table, row and column in the name of a figure


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    `wanted` is the bound that issue 3 sets, in words; `good` is whether it is kept.
    """

    name: str
    value: float
    unit: str
    wanted: str = ""
    good: bool | None = None

    @property
    def text(self) -> str:
        if self.value == int(self.value):
            return f"{self.value:,.0f}"

        digits = 1 if abs(self.value) >= 1 else 2
        return f"{self.value:,.{digits}f}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def at_most(
    name: str,
    value: float,
    unit: str,
    bound: float,
    wanted: str = "",
) -> Figure:
    """Return a figure that has an upper bound."""
    return Figure(name, value, unit, wanted or f"≤ {bound:g}", good=value <= bound)


def at_least(
    name: str,
    value: float,
    unit: str,
    bound: float,
) -> Figure:
    """Return a figure that has a lower bound."""
    return Figure(name, value, unit, f"≥ {bound:g}", good=value >= bound)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which so many percent are (nearest rank); nan without values."""
    if not values:
        return float("nan")

    rank = round(percent / 100 * len(values) + 0.5)
    last = len(values) - 1
    return sorted(values)[min(last, max(0, rank - 1))]


def median(values: Sequence[float]) -> float:
    """Return the 50th percentile."""
    return percentile(values, 50)


def spread(
    name: str,
    values_ms: Sequence[float],
    percents: Sequence[int] = (50, 90, 99),
) -> list[Figure]:
    """Return percentiles of durations, by default p50, p90 and p99."""
    return [
        Figure(f"{name}, p{percent}", percentile(values_ms, percent), "ms") for percent in percents
    ]


def cell(table: str, row: str, column: str) -> str:
    """Return the name of a figure that the page shows in a table of its own."""
    return CELL.join((table, row, column))


def say(text: str) -> None:
    """Report progress on the terminal."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
