"""Docker's API over its socket: the docker command would cost more CPU than what is measured."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

SOCKET = "/var/run/docker.sock"
ANSWER_S = 60.0


class Refused(OSError):
    """The engine refused a request."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, timeout_s: float | None) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(SOCKET)


class Api:
    """One connection that is kept open, for one thread."""

    def __init__(self) -> None:
        self._connection = _Connection(ANSWER_S)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request and return its answer; 304 counts as done. Raises Refused."""
        if body is None:
            self._connection.request(method, path)
        else:
            headers = {"Content-Type": "application/json"}
            self._connection.request(method, path, json.dumps(body), headers)

        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 400:
            reason = text.decode(errors="replace")
            raise Refused(f"{method} {path}: {response.status} {reason}")

        return json.loads(text) if text else None

    def inspect(self, container: str) -> dict[str, Any]:
        document: dict[str, Any] = self.call("GET", f"/containers/{container}/json")
        return document

    def remove(self, container: str) -> None:
        self.call("DELETE", f"/containers/{container}?force=1&v=1")

    def close(self) -> None:
        self._connection.close()


class Events:
    """The engine's events of containers with a label; it is subscribed once this is made."""

    def __init__(self, label: str, *kinds: str) -> None:
        filters = {
            "type": ["container"],
            "label": [label],
            "event": list(kinds),
        }
        self._connection = _Connection(None)
        self._connection.request("GET", f"/events?filters={quote(json.dumps(filters))}")
        self._response = self._connection.getresponse()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self._response.readline():
                yield json.loads(line)

    def close(self) -> None:
        """End the iteration, from any thread."""
        with contextlib.suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close the socket, after the last read."""
        self._response.close()
        self._connection.close()


class Stamps:
    """When an event happened to a container: the engine's own stamp, by this machine's clock."""

    def __init__(self, label: str) -> None:
        self._events = Events(label, "start", "kill", "die")
        self._news = threading.Condition()
        self._stamps: dict[tuple[str, str], int] = {}  # by kind and container
        self._thread = threading.Thread(target=self._run, name="stamps")
        self._thread.start()

    def __enter__(self) -> "Stamps":
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()
        self._thread.join()
        self._events.release()

    def of(self, kind: str, container: str, within_s: float = 10.0) -> int:
        """Return the stamp in nanoseconds, waiting for the event if it has not come yet."""
        event = (kind, container)
        with self._news:
            if not self._news.wait_for(lambda: event in self._stamps, within_s):
                raise TimeoutError(f"no {kind} event of {container}")

            return self._stamps[event]

    def deaths(self) -> dict[str, int]:
        """Return when each container that has ended did so, by id."""
        died = {}
        with self._news:
            for (kind, container), stamp in self._stamps.items():
                if kind == "die":
                    died[container] = stamp
        return died

    def _run(self) -> None:
        for event in self._events:
            kind_and_container = (event["Action"], event["id"])
            with self._news:
                # The first kill counts: `docker stop` sends a second one after its patience.
                self._stamps.setdefault(kind_and_container, event["timeNano"])
                self._news.notify_all()
