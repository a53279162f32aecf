"""Run named threads as one: all start, the first to return stops all, each is joined with a deadline."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, MappingProxyType

log = logging.getLogger(__name__)

JOIN_S = 4.0  # for all actors together; Docker kills a container 10 s after its stop signal, and we promise 5 s
NO_SIGNALS: Mapping[signal.Signals, Callable[[], None]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """One loop and the way to make it return.

    `run` blocks until it is interrupted or cannot go on; `interrupt` may be called at any time, from any thread,
    also before `run` began and after it returned.
    """

    name: str
    run: Callable[[], None]
    interrupt: Callable[[], None]


class _Bell:
    """Wakes the main thread, for a signal too.

    The kernel may give a signal to any thread (signal(7)), one that was just made for instance, but Python runs
    handlers in the main thread only: waiting for a lock, that would never hear of it.
    """

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()
        self._rung.setblocking(False)  # as signal.set_wakeup_fd wants it
        self._before = signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)

    def ring(self) -> None:
        """Wake it, from any thread."""
        with contextlib.suppress(BlockingIOError):  # so full that it wakes anyway
            self._rung.send(b"\0")

    def wait(self) -> None:
        """Sleep until it rang; handlers of signals that came have run then."""
        self._heard.recv(4096)

    def close(self) -> None:
        signal.set_wakeup_fd(self._before)
        self._heard.close()
        self._rung.close()


@dataclass(slots=True)
class _Ending:
    """Who ended first, and with which error. Written by threads, read after `over` is set."""

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
    """Run all actors until a signal, or until the first one returns; then interrupt and join the others.

    Returns after SIGTERM, SIGINT or SIGHUP; raises the first error, or RuntimeError if an actor ended unasked.
    `on_signal` is what other signals do: anything that neither blocks nor logs.
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
        raise RuntimeError(f"{ending.by} ended without being asked to")


def _run(actor: Actor, ending: _Ending) -> None:
    error: BaseException | None = None
    try:
        actor.run()
    except BaseException as caught:  # noqa: BLE001  the one place: whatever ends a thread ends the process
        error = caught
    if not ending.over.is_set():
        ending.error, ending.by = error, actor.name
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

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup(1)
            signal.signal(number, on_signal)
    return seen


def _handler(action: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: action()


def _join(threads: Sequence[threading.Thread], join_s: float) -> None:
    stop_waiting = threading.Event()
    timer = threading.Timer(join_s, stop_waiting.set)
    timer.start()
    for thread in threads:
        while thread.is_alive() and not stop_waiting.is_set():
            thread.join(0.05)
        if thread.is_alive():
            # Threads are daemons only for this case: a wedged library call must not keep the process.
            log.warning("actor did not stop in time name=%s seconds=%s", thread.name, join_s)
    timer.cancel()
