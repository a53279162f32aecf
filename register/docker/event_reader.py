"""Read Docker's events: note hints and wake the publisher, nothing else.

A reader that blocks slows the engine.
"""

import logging
import threading
import time
from collections.abc import Callable

from register.docker.event_stream import EventStream
from register.docker.hints import Hints
from register.docker.source import DockerSource
from sidecar.actors import Actor
from sidecar.retry import keep_running
from sidecar.status.health import Health

log = logging.getLogger(__name__)

# Containers may have been asked to stop before this process began, and not have ended yet.
LOOK_BACK_S = 60
# The longest pause: a try at a local socket costs nothing, a missed stop signal does.
RECONNECT_S = 1.0
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
        self._since_ns = time.time_ns() - LOOK_BACK_S * 10**9

    def actor(self) -> Actor:
        """Return the actor that reads."""
        return Actor("events", self.run, self.interrupt)

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
        # One nanosecond later, or every stream would begin with the last event of the one before.
        since_ns = max(self._since_ns, self.hints.last_ns + 1)
        self._stream = stream = self._source.events(since_ns)
        if self._stop.is_set():
            stream.close()
        self._health.good("docker events")
        # Subscribed: only a list from now on misses nothing.
        self._on_event("subscribed")

        for event in stream:
            self._health.turned(LOOP)
            is_news = self.hints.of(event.container).is_changed_by(event)
            self.hints = self.hints.after(event)
            if is_news:
                self._on_event(event.action)
            self._health.rests(LOOP)
