"""Which starts are measured: those that were seen from their beginning, once each."""

from dataclasses import replace
from typing import Any

import pytest

from catalog.records.record import Instance
from discover.latency.starts import Starts
from discover.model.proxy_config import ProxyConfig
from discover.snapshot.belongs import Owner
from discover.snapshot.snapshot import Snapshot
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

NOW_S = 1_700_000_000.0
OWNER = {"h1": Owner(1, modified=1)}


def started(number: int, ago_s: float, **changes: Any) -> Instance:
    """Return an instance whose container was started that long before NOW_S."""
    return instance(number, started_ms=round(1000 * (NOW_S - ago_s)), **changes)


class Rounds:
    """Rounds of docker-discover, and what was taken in each; h1's registrar is there at first."""

    def __init__(self, *first: Instance, owners: dict[str, Owner] = OWNER) -> None:
        self._starts = Starts()
        assert not self.round(*first, owners=owners)

    def round(
        self,
        *records: Instance,
        owners: dict[str, Owner] = OWNER,
        at_s: float = NOW_S,
        runs: tuple[Instance, ...] | None = None,
    ) -> list[tuple[str, float]]:
        """Return what one round takes; `runs` is what HAProxy has, if that is something else."""
        snapshot = _snapshot(records, owners)
        took = self._starts.look(snapshot, _config(runs or records), at_s)
        return [(host, round(seconds, 3)) for host, seconds in took]


def _snapshot(records: tuple[Instance, ...], owners: dict[str, Owner]) -> Snapshot:
    return replace(snapshot(*records), owners=owners)


def _config(records: tuple[Instance, ...]) -> ProxyConfig:
    return config_of(snapshot(*records))


def test_a_start_is_taken_once() -> None:
    rounds = Rounds(started(1, 500))

    assert rounds.round(started(1, 500), started(2, 0.02)) == [("h1", 0.02)]
    assert rounds.round(started(1, 500), started(2, 0.02)) == []


def test_a_negative_time_is_left_to_whoever_counts() -> None:
    assert Rounds().round(started(2, -3)) == [("h1", -3.0)]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param([started(1, 500)], [started(1, 500, weight=7)], id="it only changed"),
        pytest.param([instance(1)], [started(1, 500)], id="it says now when it was started"),
        pytest.param([], [instance(1)], id="it does not say when it was started"),
        pytest.param([], [started(1, 0.1, state="draining")], id="it drains already"),
    ],
)
def test_what_is_no_start_is_not_taken(first: list[Instance], then: list[Instance]) -> None:
    assert Rounds(*first).round(*then) == []


def test_a_container_that_is_started_again_counts_again() -> None:
    rounds = Rounds(started(1, 500))

    assert rounds.round(started(1, 0.3)) == [("h1", 0.3)]
    assert rounds.round() == []
    assert rounds.round(started(1, 0.3)) == []  # put back, as after an undrain
    assert rounds.round() == []
    assert rounds.round(started(1, 0.1)) == [("h1", 0.1)]


def test_it_counts_when_haproxy_has_it() -> None:
    rounds = Rounds(started(1, 500))
    both = started(1, 500), started(2, 1)

    assert rounds.round(*both, runs=(started(1, 500),)) == []
    assert rounds.round(*both, at_s=NOW_S + 2) == [("h1", 3.0)]


def test_what_goes_before_haproxy_has_it_is_forgotten() -> None:
    rounds = Rounds(started(1, 500))

    rounds.round(started(1, 500), started(2, 1), runs=(started(1, 500),))
    assert rounds.round(started(1, 500)) == []
    assert rounds.round(started(1, 500), started(2, 1), at_s=NOW_S + 9) == []


@pytest.mark.parametrize("owner", [Owner(5, modified=5), Owner(1, modified=5)], ids=str)
def test_what_ran_before_its_registrar_is_no_start(owner: Owner) -> None:
    rounds = Rounds()
    new = {"h1": owner}

    assert rounds.round(started(1, 30), owners=new) == []
    later = started(1, 30), started(2, -5)
    assert rounds.round(*later, owners=new, at_s=NOW_S + 6) == [("h1", 1.0)]


def test_what_no_registrar_wrote_is_not_taken() -> None:
    assert Rounds(owners={}).round(started(1, 1), owners={}) == []


def test_a_service_that_goes_as_another_comes_is_remembered() -> None:
    one, other = started(1, 500), started(2, 1, service="pets")
    rounds = Rounds(one)

    assert rounds.round(other) == [("h1", 1.0)]
    assert rounds.round(one) == []
    assert rounds.round(other, one) == []


def test_those_that_went_are_not_remembered_without_end() -> None:
    rounds = Rounds(*(started(number, 500) for number in range(1, 1200)))

    rounds.round()
    assert len(rounds._starts._left) == 1000
