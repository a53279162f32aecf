"""Wait for what has to become true, with a deadline, and say what was seen instead."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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
        time.sleep(0.02)
