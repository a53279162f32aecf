"""A mass removal needs a second list; a few removals do not."""

import pytest

from register.ready.removals import HeldRemovals, held_removals

KEYS = [f"k{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("missing", "published", "held"),
    [
        (0, 10, 0),
        (3, 3, 0),
        (3, 10, 0),
        (4, 10, 0),
        (5, 10, 0),
        (6, 10, 6),
        (4, 4, 4),
        (10, 10, 10),
    ],
)
def test_more_than_three_and_more_than_half(missing: int, published: int, held: int) -> None:
    assert len(held_removals(HeldRemovals(), KEYS[:missing], published, 100.0).keys) == held


def test_a_second_list_after_five_seconds_confirms() -> None:
    first = held_removals(HeldRemovals(), KEYS, 10, 100.0)
    early = held_removals(first, KEYS, 10, 104.0)
    late = held_removals(early, KEYS, 10, 105.0)

    assert first.due_s == 105.0
    assert early.keys == first.keys
    assert late.keys == frozenset()
    assert late.due_s is None


def test_a_good_list_ends_it() -> None:
    first = held_removals(HeldRemovals(), KEYS, 10, 100.0)

    good = held_removals(first, [], 10, 101.0)
    again = held_removals(good, KEYS, 10, 106.0)

    assert good == HeldRemovals()
    assert len(again.keys) == 10


def test_those_that_are_still_missing_from_a_larger_list_wait_as_well() -> None:
    first = held_removals(HeldRemovals(), KEYS, 10, 100.0)

    part = held_removals(first, KEYS[:2], 10, 101.0)

    assert part.keys == {"k0", "k1"}
    assert part.due_s == 105.0
