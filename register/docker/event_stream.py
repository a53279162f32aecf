"""Docker's events over one connection. Only reads; hints.py knows what they mean."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from register.docker.connection import DEADLINE_S, FAILURES, Connection
from register.docker.hints import DockerEvent
from register.docker.library import CancellableStream
from register.docker.podman import EVENTS, EXEC_DIED, health_in, in_dockers_words

# A stream that is silent for so long is opened again: nothing else shows a half-open connection.
SILENT_S = 60.0
TIME_END_NS = 2**63  # of Go's clock, by which engines count
ACTIONS = (
    "start",
    "die",
    "kill",
    "stop",
    "pause",
    "unpause",
    "health_status",
    "rename",
    "update",
    "destroy",
    "oom",
    "connect",
    "disconnect",
)


class EventStream:
    """The events of one connection. Iteration ends with the connection, however that ends.

    Close it from any thread.
    """

    def __init__(self, client: Any, response: Any, *, is_podman: bool) -> None:
        self._client = client
        self._is_podman = is_podman
        self._response = response
        self._lines = CancellableStream(response.iter_lines(chunk_size=None), response)

    def __iter__(self) -> Iterator[DockerEvent]:
        try:
            for line in self._lines:
                event = event_of(line)
                if event is not None:
                    yield in_dockers_words(event) if self._is_podman else event
        except FAILURES:
            return  # closed, cut or silent: what the caller does next is the same
        finally:
            self.discard()

    def discard(self) -> None:
        """Close all of it without reading."""
        self._response.close()
        self._client.close()

    def close(self) -> None:
        """End the iteration, in whatever thread it is."""
        # docker-py finds the socket below three libraries, and none if it is closed already.
        with suppress(*FAILURES, AttributeError):
            self._lines.close()


def open_events(
    connection: Connection, since_ns: int, wanted: Sequence[str] = ACTIONS
) -> EventStream:
    """Return these events since a time of the engine's clock. Raises Unavailable."""
    client = connection.new_client()
    actions = [*wanted, *EVENTS, EXEC_DIED] if connection.is_podman else wanted
    params = {
        "since": f"{since_ns // 10**9}.{since_ns % 10**9:09d}",
        "filters": json.dumps({"type": ["container", "network"], "event": list(actions)}),
    }
    # Not client.events(): it waits without end, and an engine that hangs would keep the reader.
    url = f"{client.base_url}/v{client.api_version}/events"
    with connection.translated("read events", client):
        response = client.get(url, params=params, stream=True, timeout=(DEADLINE_S, SILENT_S))
        response.raise_for_status()

    return EventStream(client, response, is_podman=connection.is_podman)


def event_of(line: bytes) -> DockerEvent | None:
    """Return the event in a line of the stream; None if it cannot be read."""
    try:
        document = json.loads(line)
        actor = document["Actor"]
        attributes = actor.get("Attributes") or {}
        is_network = document.get("Type") == "network"
        # Podman names the container that a network is about as the actor.
        container = attributes.get("container") if is_network else None
        action, _, health = str(document["Action"]).partition(":")
        return DockerEvent(
            container=str(container or actor["ID"]),
            action=action.strip(),
            signal=str(attributes.get("signal", "")),
            time_ns=_time_ns(document["timeNano"]),
            health=health.strip() or health_in(document, attributes),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # an unreadable hint; the next list shows what happened


def _time_ns(value: object) -> int:
    # One from beyond all time would also be asked for: no event comes after it.
    if not isinstance(value, int) or not 0 <= value < TIME_END_NS:
        raise ValueError(value)
    return value
