"""How many starts took how long, as metrics and as facts for people."""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sidecar.status.metrics import Metrics

# A bare loop of event, inspect, put and watch takes 14 ms; a slow HEALTHCHECK takes a minute.
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Longer than any start: the clocks of two hosts differ, or an old container was put back.
LONGEST_S = 3600.0

Where = Literal["own", "other"]
Skipped = Literal["before_its_start", "over_an_hour"]


class StartToApplied:
    """Counts starts, apart for this host and others. One thread adds; any reads `facts`."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.histogram(
            "discover_start_to_applied_seconds",
            "From a container's start to HAProxy having it",
            BOUNDS_S,
            "where",
        )
        self._skipped = metrics.counter(
            "discover_start_to_applied_skipped",
            "Starts of which two clocks tell no likely time",
            "where",
            "reason",
        )
        self._counts: dict[Where, list[int]] = {}
        for where in ("own", "other"):
            self._seconds.labels(where)
            self._counts[where] = [0] * (len(BOUNDS_S) + 1)
            for reason in ("before_its_start", "over_an_hour"):
                self._skipped.labels(where, reason)

    def add(self, where: Where, seconds: float) -> None:
        """Count one start."""
        if reason := _why_not(seconds):
            self._skipped.labels(where, reason).inc()
            return

        self._seconds.labels(where).observe(seconds)
        self._counts[where][bisect.bisect_left(BOUNDS_S, seconds)] += 1

    def facts(self) -> Mapping[str, Any]:
        """Return how many were counted, and half and nine tenths of them, in milliseconds."""
        return {where: _fact(list(counts)) for where, counts in self._counts.items() if any(counts)}


def _why_not(seconds: float) -> Skipped | None:
    if seconds < 0:
        return "before_its_start"
    return "over_an_hour" if seconds > LONGEST_S else None


def _fact(counts: Sequence[int]) -> Mapping[str, int]:
    return {
        "count": sum(counts),
        "p50_ms": round(1000 * quantile(counts, 0.5)),
        "p90_ms": round(1000 * quantile(counts, 0.9)),
    }


def quantile(counts: Sequence[int], share: float) -> float:
    """Return the seconds within which this share was, as far as buckets tell.

    As Prometheus' histogram_quantile: evenly spread within a bucket, and at most the last bound.
    """
    rank = share * sum(counts)
    below = 0
    bounds = itertools.pairwise((0.0, *BOUNDS_S))
    for (low_s, high_s), count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return low_s + (high_s - low_s) * (rank - below) / count
        below += count
    return BOUNDS_S[-1]
