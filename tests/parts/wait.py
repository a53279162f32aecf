"""Wait for what has to become true, or look whether it stays true; the only place where a test
sleeps.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02
LOOK_S = 0.1


def wait_for(condition: Callable[[], T], within_s: float, what: str) -> T:
    """Return the condition's first true value; fail with its last one when the time is over.

    An exception counts as not true yet: servers that are still starting refuse connections.
    """
    deadline = time.monotonic() + within_s
    last: object = None

    while True:
        try:
            if value := condition():
                return value
            last = value
        except (OSError, AssertionError) as error:
            last = error

        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}; last seen: {last!r}")
        time.sleep(POLL_S)


def assert_holds(condition: Callable[[], object], for_s: float, what: str) -> None:
    """Look ten times a second for so long, and fail at the first look that is not true."""
    began = time.monotonic()

    while (passed_s := time.monotonic() - began) < for_s:
        assert (seen := condition()), f"no more after {passed_s:.1f} s: {what}; seen: {seen!r}"
        time.sleep(LOOK_S)


def let_pass(seconds: float) -> None:
    """Let time pass where time itself is the input: a pace, a delay of a fake, the spread of a
    race.

    Never to wait for something: tests/test_house.py lists who may, and why.
    """
    time.sleep(seconds)
