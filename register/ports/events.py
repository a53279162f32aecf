"""Read the few events after which a container may have other ports of the host."""

import threading
import time
from collections.abc import Callable

from register.docker.connection import Connection, QuickInspect
from register.docker.event_stream import EventStream, open_events
from register.docker.hints import DockerEvent
from sidecar.actors import Actor
from sidecar.retry import keep_running

# A start is none of them: it binds what the creation told of, and an inspect then would slow the
# publisher's.
EVENTS = ("create", "disconnect", "destroy", "update")
RECONNECT_S = 1.0

SUBSCRIBED = DockerEvent("", "subscribed", "", 0)

OnEvent = Callable[[DockerEvent, object], None]


class PortEvents:
    """Reads the few events that matter here: a stream of its own, so that nothing waits for it.

    A container that was created is inspected in this very thread: `docker run` starts it two
    milliseconds later, and while it starts the engine answers no inspect of it.
    """

    def __init__(self, engine: Connection, on_event: OnEvent) -> None:
        self._engine = engine
        self._inspect = QuickInspect(engine.where)
        self._on_event = on_event
        self._stop = threading.Event()
        self._stream: EventStream | None = None

    def actor(self) -> Actor:
        """Return the actor that reads."""
        return Actor("port events", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        if (stream := self._stream) is not None:
            stream.close()

    def run(self) -> None:
        """Read until interrupted."""
        keep_running(self._session, name="events of ports", stop=self._stop, cap_s=RECONNECT_S)

    def _session(self) -> None:
        self._stream = stream = open_events(self._engine, time.time_ns(), (*EVENTS, "start"))
        if self._stop.is_set():
            stream.close()
        # Whatever happened before is in the list.
        self._on_event(SUBSCRIBED, None)
        for event in stream:
            is_new = event.action == "create"
            self._on_event(event, self._inspect.document(event.container) if is_new else None)
