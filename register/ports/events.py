"""Read the few events after which a container may have other ports of the host."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable

from register.docker.connection import DEADLINE_S, Connection
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


class _AtSocket(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _QuickInspect:
    """Inspects over one open connection to a local engine, in half a millisecond.

    It finds nothing at any other engine, or if anything fails: then the usual way is taken.
    """

    def __init__(self, where: str) -> None:
        scheme, _, path = where.partition("://")
        self._engine = _AtSocket(path) if scheme == "unix" else None

    def document(self, container: str) -> object:
        """Return a container's inspect, None if that is not to be had at once."""
        if self._engine is None:
            return None

        try:
            self._engine.request("GET", f"/containers/{container}/json")
            answer = self._engine.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._engine.close()  # the next request opens another
            return None
        return document if answer.status == http.client.OK else None


class PortEvents:
    """Reads the few events that matter here: a stream of its own, so that nothing waits for it.

    A container that was created is inspected in this very thread: `docker run` starts it two
    milliseconds later, and while it starts the engine answers no inspect of it.
    """

    def __init__(self, engine: Connection, on_event: OnEvent) -> None:
        self._engine = engine
        self._inspect = _QuickInspect(engine.where)
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
