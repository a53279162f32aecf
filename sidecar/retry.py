"""Keep a session going: call it again at once after a good one, and back off after a bad one.

The only user of tenacity.
"""

import logging
import random
import threading
import time
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from catalog.errors import Refused, Unavailable

log = logging.getLogger(__name__)

FIRST_S = 0.1
GOOD_S = 5.0  # a session that lived shorter has not proved anything: the next one waits


def jitter(most_s: float) -> float:
    """Return a random pause: if many lost the same thing, not all may come back at once."""
    return random.uniform(0, most_s)  # noqa: S311


def keep_running(
    session: Callable[[], None],
    *,
    name: str,
    stop: threading.Event,
    cap_s: float,
    on_lost: Callable[[str], None] = lambda _why: None,
) -> None:
    """Call `session` again and again until `stop` is set.

    A session returns when it was good and is over: it was stopped, or its stream was lost.
    Unavailable makes the next call wait, with full jitter up to `cap_s`; Refused makes it wait all
    of `cap_s`. Only the first failure is logged, but `on_lost` gets each. What a session raises as
    it is stopped is no failure.
    """
    attempts = _Attempts(session, name, stop, on_lost)
    until_good = Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=_pause(cap_s),
        sleep=sleep_using_event(stop),
        stop=stop_when_event_set(stop),
        before_sleep=attempts.failed,
        retry_error_callback=lambda _state: None,  # stopped while it failed: no error
    )

    while not stop.is_set():
        until_good(attempts.once)


class _Attempts:
    """Calls a session once at a time, and remembers whether its failure is logged."""

    def __init__(
        self,
        session: Callable[[], None],
        name: str,
        stop: threading.Event,
        on_lost: Callable[[str], None],
    ) -> None:
        self._session = session
        self._name = name
        self._stop = stop
        self._on_lost = on_lost
        self._failing = False

    def once(self) -> None:
        """Call the session. Raises Unavailable unless it was good or is to stop."""
        if self._stop.is_set():
            return

        started_s = time.monotonic()
        try:
            self._session()
        except Unavailable as error:
            if self._stop.is_set():
                return
            if not _is_good(started_s):
                raise
            log.warning("%s lost, trying again: %s", self._name, error)
            self._on_lost(str(error))
        else:
            if not _is_good(started_s) and not self._stop.is_set():
                raise Unavailable(f"{self._name}: the session ended after less than {GOOD_S:g} s")

        self._failing = False

    def failed(self, state: RetryCallState) -> None:
        """Note a failure, before the pause that follows it."""
        error = state.outcome.exception() if state.outcome else None
        if not self._failing:
            log.warning("%s unavailable, trying again: %s", self._name, error)

        self._failing = True
        self._on_lost(str(error))


def _is_good(started_s: float) -> bool:
    return time.monotonic() - started_s >= GOOD_S


def _pause(cap_s: float) -> Callable[[RetryCallState], float]:
    """Return how long to wait after a failure."""
    backing_off = wait_random_exponential(multiplier=FIRST_S, max=cap_s)

    def pause(state: RetryCallState) -> float:
        refused = state.outcome is not None and isinstance(state.outcome.exception(), Refused)
        return cap_s if refused else backing_off(state)

    return pause
