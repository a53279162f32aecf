"""What is counted of a start, what is skipped, and what buckets tell of half of them."""

import pytest

from discover.latency.histogram import BOUNDS_S, StartToApplied, quantile
from sidecar.status.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def lines(metrics: Metrics, *words: str) -> list[str]:
    text = metrics.text().decode()
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_hosts_are_counted_apart(metrics: Metrics) -> None:
    starts = StartToApplied(metrics)
    for seconds in (0.012, 0.014, 0.3):
        starts.add("own", seconds)
    starts.add("other", 2.0)

    counts = lines(metrics, "start_to_applied_seconds_count")
    assert counts == [
        'tandem_discover_start_to_applied_seconds_count{where="own"} 3.0',
        'tandem_discover_start_to_applied_seconds_count{where="other"} 1.0',
    ]
    assert starts.facts() == {
        "own": {"count": 3, "p50_ms": 21, "p90_ms": 425},
        "other": {"count": 1, "p50_ms": 1750, "p90_ms": 2350},
    }


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-0.001, "before_its_start"), (-9e9, "before_its_start"), (3601, "over_an_hour")],
)
def test_what_two_clocks_cannot_tell_is_skipped(
    metrics: Metrics, seconds: float, reason: str
) -> None:
    starts = StartToApplied(metrics)
    starts.add("other", seconds)

    assert starts.facts() == {}
    skipped = lines(metrics, "_skipped_total{", f'reason="{reason}"', 'where="other"')
    assert [line.split()[-1] for line in skipped] == ["1.0"]


def test_every_series_is_there_before_anything_is_counted(metrics: Metrics) -> None:
    StartToApplied(metrics)

    assert len(lines(metrics, "start_to_applied_seconds_bucket{")) == 2 * (len(BOUNDS_S) + 1)
    assert len(lines(metrics, "_skipped_total{")) == 4


def test_a_quantile_beyond_all_bounds_is_the_last_bound() -> None:
    assert quantile([*[0] * len(BOUNDS_S), 1], 0.9) == BOUNDS_S[-1]
