"""Keep a session going: again at once after a good one, backing off after a bad one. The only user of tenacity."""

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
    """Return a random pause, so that many who lost the same thing at once do not come back at once."""
    return random.uniform(0, most_s)  # noqa: S311


def keep_running(
    session: Callable[[], None],
    *,
    name: str,
    stop: threading.Event,
    cap_s: float,
    on_lost: Callable[[str], None] = lambda _why: None,
) -> None:
    """Call `session` again and again until `stop`; Unavailable makes the next call wait, full jitter up to `cap_s`.

    Refused makes it wait all of that. A session returns when it was good and is over (stopped, or its stream was
    lost). The first failure and the recovery are logged, not every attempt; `on_lost` hears every failure.
    """
    failing = False
    backing_off = wait_random_exponential(multiplier=FIRST_S, max=cap_s)

    def pause(state: RetryCallState) -> float:
        refused = state.outcome is not None and isinstance(state.outcome.exception(), Refused)
        return cap_s if refused else backing_off(state)

    def before_sleep(state: RetryCallState) -> None:
        nonlocal failing
        error = state.outcome.exception() if state.outcome else None
        if not failing:
            log.warning("%s unavailable, trying again: %s", name, error)
        failing = True
        on_lost(str(error))

    def once() -> None:
        nonlocal failing
        if stop.is_set():
            return
        started = time.monotonic()
        try:
            session()
        except Unavailable as error:
            if time.monotonic() - started < GOOD_S:
                raise
            log.warning("%s lost, trying again: %s", name, error)
            on_lost(str(error))
            failing = False
            return
        if time.monotonic() - started < GOOD_S and not stop.is_set():
            raise Unavailable(f"{name}: the session ended after less than {GOOD_S:g} s")
        failing = False

    while not stop.is_set():
        Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=pause,
            sleep=sleep_using_event(stop),
            stop=stop_when_event_set(stop),
            before_sleep=before_sleep,
            retry_error_callback=lambda _state: None,  # stopped while failing: not an error
        )(once)
