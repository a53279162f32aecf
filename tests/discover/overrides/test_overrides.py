"""What overrides make of a snapshot: they change instances of their service, and nothing else."""

from dataclasses import replace

import pytest

from catalog.keys import EVERY_SERVICE, OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing
from catalog.records.record import State
from discover.overrides.overrides import Overrides
from discover.snapshot.snapshot import Snapshot
from tests.parts.records import instance, snapshot

FIRST, SECOND = "000000000001:8000", "000000000002:8000"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def with_overrides(snapshot: Snapshot, **overrides: Override) -> Snapshot:
    """Return a snapshot with these overrides of whoami, the later ones younger."""
    standings = {
        OverrideKey("whoami", id_): Standing(override, "", created, leased=False)
        for created, (id_, override) in enumerate(overrides.items())
    }
    return replace(snapshot, overrides=standings)


def states(snapshot: Snapshot) -> dict[str, tuple[State, int]]:
    return {
        record.key.name: (record.instance.state, record.instance.weight)
        for record in snapshot.records.values()
    }


def test_without_overrides_all_stays_the_same_object() -> None:
    before = snapshot(instance(1))
    after, problems = Overrides().of(before)
    assert (after.services, problems) == (before.services, {})
    assert after.services["whoami"] is before.services["whoami"]


def test_an_instance_gets_another_weight_or_drains() -> None:
    before = snapshot(instance(1), instance(2), instance(3, "other"))
    after, problems = Overrides().of(
        with_overrides(
            before,
            a=Override(by="a", instance=FIRST, weight=7),
            b=Override(by="b", instance=SECOND, state="draining"),
        )
    )

    assert states(after) == {
        FIRST: ("ready", 7),
        SECOND: ("draining", 100),
        "000000000003:8000": ("ready", 100),
    }
    assert after.services["other"] is before.services["other"]
    assert problems == {}


def test_what_another_service_has_cannot_be_changed() -> None:
    before = snapshot(instance(1, "other"))
    after, problems = Overrides().of(
        with_overrides(before, a=Override(by="a", instance=FIRST, weight=7))
    )

    assert after.services == before.services
    assert {it.code for it in problems.values()} == {"OVERRIDE_UNUSED"}
    assert list(problems) == ["overrides/whoami/a"]


def test_a_host_is_drained_with_all_that_comes_there_later() -> None:
    drain = Standing(Override(by="a", host="h1", state="draining"), "", 1, leased=False)
    overrides = Overrides()

    def drained(before: Snapshot) -> dict[str, tuple[State, int]]:
        every = {OverrideKey(EVERY_SERVICE, "drain-h1"): drain}
        return states(overrides.of(replace(before, overrides=every))[0])

    assert drained(snapshot(instance(1))) == {FIRST: ("draining", 100)}
    assert set(drained(snapshot(instance(1), instance(2, "new"))).values()) == {("draining", 100)}
    assert drained(snapshot(instance(1), host="h2")) == {FIRST: ("ready", 100)}


def test_of_several_one_of_the_instance_wins_then_the_youngest() -> None:
    after, _ = Overrides().of(
        with_overrides(
            snapshot(instance(1), instance(2)),
            a=Override(by="a", instance=FIRST, weight=7),
            b=Override(by="b", instance=FIRST, weight=8),
            c=Override(by="c", host="h1", weight=9),
            d=Override(by="d", host="h1", state="draining"),
        )
    )

    assert states(after) == {FIRST: ("draining", 8), SECOND: ("draining", 9)}


def test_one_that_is_over_changes_nothing_though_its_key_stands() -> None:
    clock = Clock()
    overrides = Overrides(clock_s=clock)
    before = with_overrides(
        snapshot(instance(1)), a=Override(by="a", instance=FIRST, weight=7, until_s=160)
    )
    assert states(overrides.of(before)[0]) == {FIRST: ("ready", 7)}
    assert overrides.changes_in_s() == 60.0

    clock.now_s = 161.0  # also if the clock was put right
    assert overrides.changes_in_s() == 0.0
    after, problems = overrides.of(before)
    assert (states(after), problems, after.overrides) == ({FIRST: ("ready", 100)}, {}, {})
    assert overrides.changes_in_s() == float("inf")


@pytest.mark.parametrize("weight", [5, 100])
def test_a_service_is_made_anew_only_when_it_changes(weight: int) -> None:
    overrides = Overrides()
    before = with_overrides(
        snapshot(instance(1)), a=Override(by="a", instance=FIRST, weight=weight)
    )
    first, second = overrides.of(before)[0], overrides.of(before)[0]
    assert first.services["whoami"] is second.services["whoami"]


def test_they_are_explained_with_owner_and_end() -> None:
    overrides = Overrides(clock_s=Clock())
    override = Override(
        by="anna", why="new disk", instance=FIRST, state="draining", until_s=1795716000
    )
    overrides.of(with_overrides(snapshot(instance(1)), drain=override))

    assert overrides.explained() == [
        {
            "service": "whoami",
            "id": "drain",
            "instance": FIRST,
            "state": "draining",
            "by": "anna",
            "why": "new disk",
            "until": "2026-11-26T18:00:00Z",
        }
    ]
