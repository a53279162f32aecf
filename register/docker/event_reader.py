"""Read Docker's events: note hints and wake the publisher, nothing else.

A reader that blocks slows the engine.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from register.docker.event_stream import EventStream
from register.docker.hints import LOOK_BACK_NS, DockerEvent, Heard, Hints
from register.docker.source import DockerSource
from sidecar.actors import Actor
from sidecar.retry import keep_running
from sidecar.status.health import Health

log = logging.getLogger(__name__)

SECOND_NS = 10**9  # as exactly as an engine tells its clock
# The longest pause: a try at a local socket costs nothing, a missed stop signal does.
RECONNECT_S = 1.0
# What the engine remembers comes at once, before anything new.
REMEMBERED_S = 1.0
REMEMBERED = 256  # so many events does an engine remember (moby, daemon/events)
# The loop has no rhythm of its own: only while it has an event in hand can it be stuck.
LOOP = "events"
# A reader that does not read makes the engine up to a hundred times slower for everybody
# (docs/research/reliability.md F7).
STUCK_S = 15.0


class EventReader:
    """Follows the event stream through every loss.

    `hints` is replaced whole, and may be read from any thread.
    """

    def __init__(
        self,
        source: DockerSource,
        health: Health,
        on_event: Callable[[str], None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.hints = Hints()
        self._source = source
        self._health = health
        self._on_event = on_event
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._stream: EventStream | None = None
        self._first_since_ns = time.time_ns() - LOOK_BACK_NS
        self._latest: deque[DockerEvent] = deque(maxlen=REMEMBERED)
        self._started: deque[str] = deque(maxlen=REMEMBERED)

    def actor(self) -> Actor:
        """Return the actor that reads."""
        return Actor("events", self.run, self.interrupt)

    def take_started(self) -> frozenset[str]:
        """Return the containers that started since this was last asked. For one other thread."""
        taken: set[str] = set()
        while self._started:
            taken.add(self._started.popleft())
        return frozenset(taken)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self.reopen()

    def reopen(self) -> None:
        """Close the stream and open another: it was silent about something."""
        if (stream := self._stream) is not None:
            stream.close()

    def run(self) -> None:
        """Read until interrupted."""
        keep_running(
            self._session,
            name="docker events",
            stop=self._stop,
            cap_s=RECONNECT_S,
            on_lost=self._lost,
        )

    def _lost(self, why: str) -> None:
        self._health.bad("docker events", why)
        self._on_lost()

    def _session(self) -> None:
        self._stream = stream = self._opened()
        opened_s = time.monotonic()
        if self._stop.is_set():
            stream.close()
        self._health.good("docker events")
        # Subscribed: only a list from now on misses nothing.
        self._on_event("subscribed")

        for event in stream:
            self._health.turned(LOOP)
            now_s = time.monotonic()
            self._hear(event, Heard(now_s, is_live=now_s - opened_s > REMEMBERED_S))
            self._health.rests(LOOP)

    def _opened(self) -> EventStream:
        """Return the events since the last one that was heard; at first, those of a minute.

        The engine's clock may differ from ours, or have been put back since: then all that it
        remembers of its last minute is asked for, and what was heard already is left out.
        """
        last_ns = self.hints.last_ns
        # One nanosecond later, or every stream would begin with the last event of the one before.
        since_ns = last_ns + 1 if last_ns else self._first_since_ns
        stream = self._source.events(since_ns)
        clock_ns = self._source.clock_ns
        if clock_ns is None:
            return stream

        minute_ns = clock_ns - LOOK_BACK_NS
        latest_ns = (clock_ns if last_ns else minute_ns) + SECOND_NS
        if since_ns <= latest_ns:
            return stream
        stream.discard()
        return self._source.events(minute_ns)

    def _hear(self, event: DockerEvent, heard: Heard) -> None:
        if not heard.is_live and event in self._latest:
            return
        self._latest.append(event)

        is_news = self.hints.of(event.container).is_changed_by(event)
        self.hints = self.hints.after(replace(event, heard=heard))
        if event.action == "start":
            self._started.append(event.container)
        if is_news:
            self._on_event(event.action)
