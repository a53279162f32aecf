"""When the publisher goes round without an event."""

import pytest

from register.schedule import INSPECT_ALL_S, LIST_AFTER_S, TURN_S, Schedule

NOW_S = 1000.0


def resynced(*, everything: bool = False) -> Schedule:
    schedule = Schedule(resync_every_s=30)
    schedule.resynced(NOW_S, everything=everything)
    return schedule


def test_the_first_round_compares_and_inspects_everything() -> None:
    schedule = Schedule(resync_every_s=30)

    assert schedule.timeout_s(NOW_S, None) == 0
    assert schedule.is_resync_due(NOW_S)
    assert schedule.is_inspect_due(NOW_S)


def test_a_resync_is_due_again_after_its_interval() -> None:
    schedule = resynced(everything=True)

    assert not schedule.is_resync_due(NOW_S + 29)
    assert schedule.is_resync_due(NOW_S + 30)
    assert not schedule.is_inspect_due(NOW_S + INSPECT_ALL_S - 1)
    assert schedule.is_inspect_due(NOW_S + INSPECT_ALL_S)


@pytest.mark.parametrize(
    ("decide_s", "held_due_s", "timeout_s"),
    [
        (None, None, TURN_S),
        (NOW_S + 3, None, 3),
        (None, NOW_S + 5, 5),
        (NOW_S + 3, NOW_S + 5, 3),
        (NOW_S - 1, None, 0),
    ],
)
def test_the_loop_waits_for_what_is_due_first(
    decide_s: float | None, held_due_s: float | None, timeout_s: float
) -> None:
    schedule = resynced()
    schedule.decide_s = decide_s

    assert schedule.timeout_s(NOW_S, held_due_s) == timeout_s


def test_a_decision_is_brought_forward_and_never_put_off() -> None:
    schedule = resynced()

    schedule.no_later_than(NOW_S + 5)
    schedule.no_later_than(NOW_S + 2)
    schedule.no_later_than(NOW_S + 9)

    assert schedule.decide_s == NOW_S + 2


def test_what_was_inspected_alone_is_listed_soon_however_many_follow() -> None:
    schedule = resynced()
    assert not schedule.is_list_due(NOW_S + 20)

    schedule.inspected_alone(NOW_S)
    schedule.inspected_alone(NOW_S + LIST_AFTER_S / 2)

    assert schedule.timeout_s(NOW_S, None) == LIST_AFTER_S
    assert not schedule.is_list_due(NOW_S)
    assert schedule.is_list_due(NOW_S + LIST_AFTER_S)
