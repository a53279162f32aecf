"""Wait until something is true of the fleet; at the deadline report what was seen instead."""

import time
from collections.abc import Callable
from typing import TypeVar

from lab.process import LabError

T = TypeVar("T")
_POLL_S = 0.02


def wait_for(condition: Callable[[], T], within_s: float, what: str) -> T:
    """Return the condition's first true value; raise LabError with its last one at the deadline.

    OSError and LabError count as not true yet: a starting program refuses connections.
    """
    deadline = time.monotonic() + within_s
    last: object
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, LabError) as error:
            last = error

        if time.monotonic() > deadline:
            raise LabError(f"not within {within_s:g} s: {what}; last seen: {last!r}")
        time.sleep(_POLL_S)
