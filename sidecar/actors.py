"""Run named threads as one group.

All start; the first to return stops all; they are joined with a deadline.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, MappingProxyType

log = logging.getLogger(__name__)

# For all actors together. Docker kills a container 10 s after its stop signal, and we promise 5 s.
JOIN_S = 4.0
# How often, while it joins, the main thread hears a second signal that another thread took.
HEAR_S = 0.05
NO_SIGNALS: Mapping[signal.Signals, Callable[[], None]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """One loop and the way to make it return.

    `run` blocks until it is interrupted or cannot go on. `interrupt` may be called at any time,
    from any thread, also before `run` began and after it returned.
    """

    name: str
    run: Callable[[], None]
    interrupt: Callable[[], None]


class _Bell:
    """Wakes the main thread, also for a signal.

    The kernel may give a signal to any thread (signal(7)), but Python runs handlers only in the
    main thread: while that waited for a lock, no handler would run.
    """

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()
        self._rung.setblocking(False)  # as signal.set_wakeup_fd wants it
        self._before = signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)

    def ring(self) -> None:
        """Wake the main thread, from any thread."""
        # A full socket wakes it anyway.
        with contextlib.suppress(BlockingIOError):
            self._rung.send(b"\0")

    def wait(self) -> None:
        """Sleep until it rings, or a signal comes; the signal's handler has run then."""
        self._heard.recv(4096)

    def close(self) -> None:
        """Give up the signals and the socket."""
        signal.set_wakeup_fd(self._before)
        self._heard.close()
        self._rung.close()


@dataclass(slots=True)
class _Ending:
    """The actor that ended first, and its error. Written by threads, read after `over` is set."""

    bell: _Bell
    over: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    by: str | None = None


def run_group(
    actors: Sequence[Actor],
    *,
    join_s: float = JOIN_S,
    on_signal: Mapping[signal.Signals, Callable[[], None]] = NO_SIGNALS,
) -> None:
    """Run all actors until a signal comes or the first one returns; then interrupt and join all.

    Returns after SIGTERM, SIGINT or SIGHUP; raises the first error, or RuntimeError if an actor
    ended unasked. `on_signal` has what other signals do: anything that neither blocks nor logs.
    Call it from the main thread, which Python requires for signal handlers.
    """
    with contextlib.closing(_Bell()) as bell:
        ending = _Ending(bell)
        signal_seen = _stop_on_signal(ending)
        for number, action in on_signal.items():
            signal.signal(number, _handler(action))

        threads = [
            threading.Thread(target=_run, args=(actor, ending), name=actor.name, daemon=True)
            for actor in actors
        ]
        for thread in threads:
            thread.start()

        while not ending.over.is_set():
            bell.wait()

        for actor in actors:
            actor.interrupt()
        _join(threads, join_s)

    if ending.error is not None:
        raise ending.error
    if not signal_seen.is_set():
        raise RuntimeError(f"{ending.by} ended unexpectedly")


def _run(actor: Actor, ending: _Ending) -> None:
    error: BaseException | None = None
    try:
        actor.run()
    # The one place for it: whatever ends a thread ends the process.
    except BaseException as caught:  # noqa: BLE001
        error = caught

    if not ending.over.is_set():
        ending.error = error
        ending.by = actor.name
        ending.over.set()
        ending.bell.ring()


def _stop_on_signal(ending: _Ending) -> threading.Event:
    """Make the first signal end the group and the second end the process."""
    seen = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if seen.is_set():
            os._exit(128 + number)
        seen.set()
        ending.over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    # nohup(1) ignores it for us.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, on_signal)
    return seen


def _handler(action: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: action()


def _join(threads: Sequence[threading.Thread], join_s: float) -> None:
    deadline_s = time.monotonic() + join_s
    for thread in threads:
        while thread.is_alive() and time.monotonic() < deadline_s:
            thread.join(HEAR_S)

        if thread.is_alive():
            # Threads are daemons only for this: a stuck library call must not keep the process.
            log.warning("actor did not stop in time name=%s seconds=%s", thread.name, join_s)
