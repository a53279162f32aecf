"""Keep listeners for the next life, so that services that are empty then keep their ports.

HAProxy's own file has the listeners too, but as text that only a template can make.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from catalog.errors import Rejected
from catalog.records.record import Check
from discover.model.empty_services import EmptyByPort, LastServer, LastServers
from discover.model.proxy_config import (
    NO_PORT,
    Bind,
    Header,
    Listener,
    Server,
    ServicePort,
    Verbatim,
)
from sidecar.atomic_files import MALFORMED, StateFile


def text_of(listeners: Iterable[Listener]) -> str:
    """Return listeners as text, without their servers; `listeners_of` is its inverse.

    What is known by holds alone is left out: the holds are saved elsewhere.
    """
    kept = [
        replace(listener, servers=(), free=()) for listener in listeners if listener.port >= NO_PORT
    ]
    return json.dumps([asdict(listener) for listener in kept], indent=1)


def listeners_of(text: str) -> tuple[Listener, ...]:
    """Return the listeners in a text. Raises Rejected."""
    try:
        return tuple(map(_listener, json.loads(text)))
    except MALFORMED as error:
        raise Rejected(f"no list of listeners: {error!r:.80}") from error


def _listener(found: dict[str, Any]) -> Listener:
    canary = found.get("canary")
    fields = {
        **found,
        "binds": tuple(map(_bind, found["binds"])),
        "check": Check(**found["check"]),
        "servers": (),
        "free": (),
        "canary": Header(**canary) if canary else None,
        "routes": tuple(map(str, found.get("routes", ()))),
        # Verbatim is safe here: this folder is as much the operator's as that of the snippets.
        "snippet": tuple(map(Verbatim, found.get("snippet", ()))),
    }
    return Listener(**fields)


def _bind(found: dict[str, Any]) -> Bind:
    return Bind(str(found["host"]), int(found["port"]))


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last server of an empty service, and since when it is empty by the monotonic clock."""

    server: Server
    since_s: float


_KeptByPort = Mapping[ServicePort, _Kept]


class ListenersFile:
    """The file, and one beside it that says since when services are empty.

    Losing both costs only their ports.
    """

    def __init__(self, path: Path) -> None:
        self._file = StateFile(
            path,
            text_of,
            lambda content: listeners_of(content.decode()),
            unknown="lost the empty services of the last run: %s: %s",
            unkept="cannot save the listeners for the next start",
        )
        self._empty_file = StateFile(
            path.with_name(path.name + ".empty"),
            _empty_text,
            _empty_of,
            unknown="lost how long services have been empty: %s: %s",
            unkept="cannot save how long services have been empty",
        )
        self._saved_empty: _KeptByPort = {}

    def load(self) -> tuple[Listener, ...]:
        """Return the listeners of an earlier life; none if they are not known."""
        return tuple(self._file.load() or ())

    def save(self, listeners: Iterable[Listener]) -> None:
        """Keep listeners for the next life."""
        self._file.save(tuple(listeners))

    def save_empty(self, empty: EmptyByPort) -> None:
        """Keep the last server of empty services that callers know by a name, and its end."""
        kept = {
            port: _Kept(service.listener.servers[-1], service.since_s)
            for port, service in empty.items()
            if service.listener.routes and service.listener.servers
        }
        if kept == self._saved_empty:
            return

        self._saved_empty = kept
        self._empty_file.save(kept)

    def load_empty(self) -> LastServers:
        """Return the last server of services that were empty in an earlier life."""
        now_s = time.monotonic()
        kept = self._empty_file.load() or {}
        return {
            port: LastServer(service.server, max(0.0, now_s - service.since_s))
            for port, service in kept.items()
        }


def _empty_text(empty: _KeptByPort) -> str:
    ahead_s = _wall_clock_ahead_s()
    lines = [
        (*port, kept.since_s + ahead_s, kept.server.name, kept.server.endpoint)
        for port, kept in empty.items()
    ]
    return json.dumps(lines)


def _empty_of(content: bytes) -> _KeptByPort:
    ahead_s = _wall_clock_ahead_s()
    kept: dict[ServicePort, _Kept] = {}

    for service, port, since_s, name, endpoint in json.loads(content):
        server = _server(str(name), str(endpoint))
        kept[str(service), int(port)] = _Kept(server, float(since_s) - ahead_s)

    return kept


def _wall_clock_ahead_s() -> float:
    """Return how far the wall clock is ahead of the one that measures intervals."""
    return time.time() - time.monotonic()


def _server(name: str, endpoint: str) -> Server:
    return Server(name, endpoint, weight=0, draining=False, backup=False, cookie="")
