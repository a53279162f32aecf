"""When there is something to do though nothing happens."""

import math

from discover.deadlines import RETRY_FILE_S, RETRY_PORTS_S, TIDY_AT_MOST_S, TIDY_S, Deadlines


def test_nothing_is_due_at_first() -> None:
    assert Deadlines().next_s(math.inf) == math.inf


def test_a_reload_is_due_when_its_pace_says_so() -> None:
    assert Deadlines().next_s(7.0) == 7.0


def test_an_unwritten_file_is_due_until_it_is_written() -> None:
    deadlines = Deadlines()

    deadlines.file_unwritten(100.0)
    assert deadlines.next_s(math.inf) == 100.0 + RETRY_FILE_S
    deadlines.file_written()
    assert deadlines.next_s(math.inf) == math.inf


def test_ports_that_others_hold_are_due_until_all_are_usable() -> None:
    deadlines = Deadlines()

    deadlines.ports_tried(100.0, all_usable=False)
    assert deadlines.next_s(math.inf) == 100.0 + RETRY_PORTS_S
    deadlines.ports_tried(101.0, all_usable=True)
    assert deadlines.next_s(math.inf) == math.inf


def test_servers_without_a_slot_get_one_once_nothing_changed_for_long() -> None:
    deadlines = Deadlines()

    deadlines.changed(100.0)
    deadlines.tidy(untidy=True)
    assert deadlines.next_s(math.inf) == 100.0 + TIDY_S
    assert not deadlines.take_tidying(100.0 + TIDY_S - 1)

    deadlines.tidy(untidy=False)
    assert deadlines.next_s(math.inf) == math.inf


def test_where_something_always_changes_they_get_one_all_the_same() -> None:
    deadlines = Deadlines()

    for now_s in range(100, 900, 50):
        deadlines.changed(float(now_s))
        deadlines.tidy(untidy=True)

    assert deadlines.next_s(math.inf) == 100.0 + TIDY_AT_MOST_S


def test_a_tidying_that_changed_nothing_is_not_tried_again_at_once() -> None:
    deadlines = Deadlines()
    deadlines.changed(100.0)
    deadlines.tidy(untidy=True)

    assert deadlines.take_tidying(200.0)
    deadlines.tidy(untidy=True)

    assert deadlines.next_s(math.inf) == 200.0 + TIDY_S


def test_the_first_deadline_counts() -> None:
    deadlines = Deadlines()
    deadlines.file_unwritten(100.0)
    deadlines.ports_tried(100.0, all_usable=False)

    assert deadlines.next_s(102.0) == 102.0
    assert deadlines.next_s(math.inf) == 100.0 + RETRY_FILE_S
