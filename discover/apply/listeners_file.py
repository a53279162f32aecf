"""The listeners of an earlier life on disk: a service that was empty, or emptied while nobody looked, keeps its port.

HAProxy's own file has them too, but as text that only a template can make. What cannot be read is as good as nothing.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from catalog.errors import Rejected
from catalog.record import Check
from discover.model.config import Bind, Header, Listener, Server, Verbatim
from discover.model.empty_services import Gone, Noted, Place
from sidecar.atomic_files import MALFORMED, StateFile

# The last server of each empty service, and since when it is empty.
_Empty = Mapping[Place, tuple[Server, float]]


def text_of(listeners: Iterable[Listener]) -> str:
    """Return listeners as text, without their servers; `listeners_of` is its inverse."""
    return json.dumps([asdict(replace(listener, servers=())) for listener in listeners], indent=1)


def listeners_of(text: str) -> tuple[Listener, ...]:
    """Return the listeners in a text. Raises Rejected."""
    try:
        return tuple(map(_listener, json.loads(text)))
    except MALFORMED as error:
        raise Rejected(f"no list of listeners: {error!r:.80}") from error


def _listener(found: dict[str, Any]) -> Listener:
    binds = tuple(Bind(str(bind["host"]), int(bind["port"])) for bind in found["binds"])
    canary = Header(**found["canary"]) if found.get("canary") else None
    made = {"binds": binds, "check": Check(**found["check"]), "servers": (), "canary": canary}
    made["routes"] = tuple(map(str, found.get("routes", ())))
    # This folder is as much the operator's as that of the snippets.
    return Listener(**{**found, **made, "snippet": tuple(map(Verbatim, found.get("snippet", ())))})


class ListenedFile:
    """The file, and beside it since when services are empty. Losing both costs only the ports of empty services."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(
            path,
            text_of,
            lambda content: listeners_of(content.decode()),
            unknown="empty services of an earlier life are not known any more: %s: %s",
            unkept="what is listened on is not kept for the next start",
        )
        self._empty_file = StateFile(
            path.with_name(path.name + ".empty"),
            _empty_text,
            _empty_of,
            unknown="since when services are empty is not known any more: %s: %s",
            unkept="since when services are empty is not kept for the next start",
        )
        self._noted: _Empty = {}

    def load(self) -> tuple[Listener, ...]:
        """Return what an earlier life listened on; nothing if that is not known."""
        return tuple(self._file.load() or ())

    def save(self, listeners: Iterable[Listener]) -> None:
        """Keep them for the next life."""
        self._file.save(tuple(listeners))

    def note(self, gone: Gone) -> None:
        """Keep since when services are empty that callers know by a name, and where the last instance was."""
        known = {
            place: (it.servers[-1], since)
            for place, (it, since) in gone.items()
            if it.routes and it.servers
        }
        if known == self._noted:
            return
        self._noted = known
        self._empty_file.save(known)

    def noted(self) -> Noted:
        """Return the last server of services that were empty in an earlier life, and for how long they have been."""
        now_s = time.monotonic()
        empty = self._empty_file.load() or {}
        return {
            place: (server, max(0.0, now_s - since_s)) for place, (server, since_s) in empty.items()
        }


def _empty_text(empty: _Empty) -> str:
    ahead_s = _wall_clock_ahead_s()
    lines = [
        (*place, since_s + ahead_s, server.name, server.endpoint)
        for place, (server, since_s) in empty.items()
    ]
    return json.dumps(lines)


def _empty_of(content: bytes) -> _Empty:
    ahead_s = _wall_clock_ahead_s()
    return {
        (str(service), int(port)): (_server(str(name), str(endpoint)), float(since_s) - ahead_s)
        for service, port, since_s, name, endpoint in json.loads(content)
    }


def _wall_clock_ahead_s() -> float:
    """Return how far the wall clock, which outlives a boot, is ahead of the one that intervals are measured by."""
    return time.time() - time.monotonic()


def _server(name: str, endpoint: str) -> Server:
    return Server(name, endpoint, weight=0, draining=False, backup=False, cookie="")
