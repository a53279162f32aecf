"""A token bucket: a burst at once, the rest at its rate."""

import pytest

from sidecar.bucket import Bucket, Rate


def spent(bucket: Bucket, until_s: float, *, from_s: float = 100.0) -> list[float]:
    """Return when each token is spent if there is always one more wish."""
    now_s, times = from_s, []
    while now_s < from_s + until_s:
        if (wait_s := bucket.wait_s(now_s)) > 0:
            now_s += wait_s
            continue
        bucket.spend(now_s)
        times.append(now_s)
    return times


@pytest.mark.parametrize(("per_s", "burst"), [(10.0, 20), (1.0, 1), (0.5, 3)])
def test_a_burst_at_once_and_the_rest_at_its_rate(per_s: float, burst: int) -> None:
    times = spent(Bucket(Rate(per_s, burst)), 30)

    assert times.count(100.0) == burst
    assert len(times) == pytest.approx(burst + 30 * per_s, abs=1.5)


def test_quiet_time_gives_the_burst_back_and_no_more() -> None:
    bucket = Bucket(Rate(1.0, 5))
    spent(bucket, 10)

    assert spent(bucket, 1, from_s=1000.0).count(1000.0) == 5
