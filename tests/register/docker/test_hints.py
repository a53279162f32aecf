"""What events leave behind."""

from dataclasses import replace

import pytest

from register.docker.hints import (
    KEPT,
    LAG_NS,
    LAG_S,
    LOOK_BACK_NS,
    NEVER,
    DockerEvent,
    Heard,
    Hint,
    Hints,
    has_ended,
    is_asked_to_stop,
)
from tests.parts.containers import container


def event(
    action: str, time_ns: int = 1, signal: str = "", container: str = "a", health: str = ""
) -> DockerEvent:
    return DockerEvent(container, action, signal, time_ns, health)


def after(*events: DockerEvent) -> Hints:
    hints = Hints()
    for one in events:
        hints = hints.after(one)
    return hints


def test_the_last_time_of_each_signal_is_kept() -> None:
    hints = after(
        event("kill", 1, "15"),
        event("kill", 3, "15"),
        event("kill", 2, "9"),
        event("kill", 4, "HUP"),
    )

    assert hints.of("a").signals == {15: 3, 9: 2, 1: 4}
    assert hints.last_ns == 4


def test_events_that_change_a_container_are_counted() -> None:
    hints = after(
        event("start"),
        event("kill", signal="15"),
        event("rename"),
        event("die"),
        event("start", container="b"),
    )

    assert [hints.of(name).changes for name in "abc"] == [2, 1, 0]


def test_a_health_that_is_told_again_after_a_pause_is_news() -> None:
    told = event("health_status", health="healthy")
    hints = after(told, event("pause"), event("unpause"))

    assert hints.of("a").is_changed_by(told)
    assert not hints.after(told).of("a").is_changed_by(told)


def test_a_death_is_forgotten_at_the_next_start() -> None:
    assert after(event("die", 5)).of("a").died_ns == 5
    assert after(event("destroy", 5)).of("a").died_ns == 5
    assert after(event("die", 5), event("stop", 6), event("start", 7)).of("a").died_ns == 0
    assert after(event("kill", 5, "9")).of("a").died_ns == 0


def test_a_signal_that_cannot_be_read_is_none() -> None:
    assert after(event("kill", signal="\n")).of("a") == Hint()


def test_the_oldest_is_forgotten_at_last() -> None:
    hints = after(
        *(event("start", container=str(number)) for number in range(KEPT)),
        event("die", container="0"),
    )
    hints = hints.after(event("start", container="new"))

    assert len(hints.by_container) == KEPT
    assert hints.of("0").died_ns
    assert hints.of("1") == Hint()


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({}, False),
        ({15: 2_000_000_000}, True),
        ({15: 500_000_000}, False),  # of an earlier start
        ({9: 2_000_000_000}, True),
        ({1: 2_000_000_000}, False),  # a reload of its configuration
        ({3: 2_000_000_000}, False),
    ],
)
def test_who_is_asked_to_stop(signals: dict[int, int], expected: bool) -> None:
    assert is_asked_to_stop(container(), Hint(signals=signals)) is expected


def test_the_stop_signal_is_the_containers_own() -> None:
    assert is_asked_to_stop(container(stop_signal=3), Hint(signals={3: 2_000_000_000}))
    assert not is_asked_to_stop(container(stop_signal=3), Hint(signals={15: 2_000_000_000}))


def test_a_death_ends_only_the_start_before_it() -> None:
    assert has_ended(container(), Hint(died_ns=2_000_000_000))
    assert not has_ended(container(), Hint(died_ns=500_000_000))
    assert not has_ended(container(), Hint())


SEEN_S = 1_000.0  # of our own clock
LIVE = Heard(SEEN_S + 2 * LAG_S, is_live=True)
AT_ONCE = Heard(SEEN_S + LAG_S / 2, is_live=True)
REMEMBERED = Heard(SEEN_S + 2 * LAG_S, is_live=False)
STARTED_NS = 10_000 * 10**9
JUST_BEFORE_NS = STARTED_NS - 5 * 10**9
LONG_BEFORE_NS = STARTED_NS - LOOK_BACK_NS - 2 * LAG_NS


@pytest.mark.parametrize(
    ("time_ns", "heard", "was_there", "expected"),
    [
        (JUST_BEFORE_NS, LIVE, False, True),
        (LONG_BEFORE_NS, LIVE, False, True),
        (JUST_BEFORE_NS, AT_ONCE, False, False),  # of the start before: the list was faster
        (JUST_BEFORE_NS, REMEMBERED, False, False),
        (JUST_BEFORE_NS, REMEMBERED, True, False),
        (LONG_BEFORE_NS, REMEMBERED, False, True),
        (LONG_BEFORE_NS, NEVER, False, False),
        (LONG_BEFORE_NS, NEVER, True, True),  # an engine remembers nothing so old
    ],
)
def test_what_comes_after_the_engines_clock_was_put_back_is_heard(
    time_ns: int, heard: Heard, was_there: bool, expected: bool
) -> None:
    one = container(started_ns=STARTED_NS, seen_s=SEEN_S, was_there=was_there)
    kill, die = event("kill", time_ns, "15"), event("die", time_ns)

    assert is_asked_to_stop(one, after(replace(kill, heard=heard)).of("a")) is expected
    assert has_ended(one, after(replace(die, heard=heard)).of("a")) is expected


def test_a_start_ends_all_that_was_heard_before() -> None:
    one = container(started_ns=STARTED_NS, seen_s=SEEN_S)
    kill = replace(event("kill", LONG_BEFORE_NS, "15"), heard=LIVE)

    assert not is_asked_to_stop(one, after(kill, event("start", LONG_BEFORE_NS)).of("a"))
    assert not has_ended(one, after(replace(kill, action="die"), event("start")).of("a"))
