"""When a reload may run."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from discover.apply.reload_pace import (
    AGAIN_S,
    AT_MOST_S,
    BURST,
    EVERY_S,
    QUIET_S,
    SLOW_COUNTS,
    SLOW_S,
    SPACING_S,
    Pace,
    RefusedText,
)


def test_nothing_is_due_when_nothing_is_wanted() -> None:
    assert Pace().due_s == math.inf


def test_the_first_runs_at_once() -> None:
    pace = Pace()
    pace.wanted("new a", 100.0)
    assert pace.due_s == 100.0


def test_those_that_follow_share_one_when_the_burst_is_over() -> None:
    pace = Pace()
    pace.done(100.0)
    pace.wanted("new a", 100.01)
    pace.wanted("new a, new b", 100.045)
    assert pace.due_s == 100.045 + QUIET_S

    pace.wanted("new a, new b, new c", 100.06)
    assert pace.due_s == 100.06 + QUIET_S


def test_an_endless_burst_is_waited_for_no_longer_than_that() -> None:
    pace = Pace()
    pace.done(100.0)
    for step in range(1000):
        pace.wanted(f"new {step}", 100.0 + step / 100)
    assert pace.due_s == 100.0 + SPACING_S + AT_MOST_S


def test_the_same_change_seen_again_prolongs_nothing() -> None:
    pace = Pace()
    pace.done(100.0)
    pace.wanted("new a", 100.01)
    pace.wanted("new a", 100.049)
    assert pace.due_s == 100.0 + SPACING_S


def test_one_that_is_wanted_no_more_is_not_due() -> None:
    pace = Pace()
    pace.done(100.0)
    pace.wanted("new a", 100.01)
    pace.dropped()
    assert pace.due_s == math.inf

    pace.wanted("new b", 105.0)
    assert pace.due_s == 105.0


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_no_rate_of_changes_gets_more_than_the_budget(gaps: list[float]) -> None:
    pace, now_s, ran = Pace(), 1000.0, []
    for number, gap in enumerate(gaps):
        now_s += gap
        while pace.due_s <= now_s:
            ran.append(pace.due_s)
            pace.done(pace.due_s)
        pace.wanted(f"new {number}", now_s)
        assert pace.due_s <= now_s + SPACING_S + EVERY_S + AT_MOST_S

    assert all(later - earlier >= SPACING_S - 1e-6 for earlier, later in pairwise(ran))
    for first in range(len(ran)):
        for last in range(first, len(ran)):
            assert last - first <= BURST + (ran[last] - ran[first]) / EVERY_S + 1e-6


def test_slow_ones_are_rarer() -> None:
    pace, now_s, at_s = Pace(), 1000.0, []
    for number in range(3 * BURST):
        pace.wanted(f"new {number}", now_s)
        now_s = pace.due_s
        at_s.append(now_s)
        pace.done(now_s, took_s=2 * SLOW_S)

    gaps_s = [later - earlier for earlier, later in pairwise(at_s)]
    assert gaps_s[: BURST // SLOW_COUNTS - 1] == pytest.approx([SPACING_S] * 9)
    assert gaps_s[-BURST:] == pytest.approx([SLOW_COUNTS * EVERY_S] * BURST)


def test_a_refused_text_is_not_asked_about_again_at_once() -> None:
    refused = RefusedText()
    refused.raise_again("text", 100.0)

    refused.remember("text", "bad line", 100.0)
    with pytest.raises(Rejected, match="bad line"):
        refused.raise_again("text", 100.0 + AGAIN_S - 1)
    refused.raise_again("other", 101.0)
    refused.raise_again("text", 100.0 + AGAIN_S)
