"""How fast one registrar writes."""

import pytest

from register.pace import Pace


def writes(pace: Pace, until_s: float, *, from_s: float = 100.0) -> list[float]:
    """Return when writes go if there is always one more."""
    now_s, times = from_s, []
    while now_s < from_s + until_s:
        if (wait_s := pace.wait_s(now_s)) > 0:
            now_s += wait_s
            continue
        pace.spend(now_s)
        times.append(now_s)
    return times


@pytest.mark.parametrize(("per_s", "burst"), [(10.0, 20), (1.0, 1), (0.5, 3)])
def test_a_burst_at_once_and_the_rest_at_its_rate(per_s: float, burst: int) -> None:
    times = writes(Pace(per_s, burst), 30)

    assert times.count(100.0) == burst
    assert len(times) == pytest.approx(burst + 30 * per_s, abs=1.5)


def test_quiet_time_gives_the_burst_back_and_no_more() -> None:
    pace = Pace(1.0, 5)
    writes(pace, 10)

    assert writes(pace, 1, from_s=1000.0).count(1000.0) == 5
