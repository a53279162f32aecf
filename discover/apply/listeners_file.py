"""The listeners of an earlier life on disk: a service that was empty, or emptied while nobody looked, keeps its port.

HAProxy's own file has them too, but as text that only a template can make. What cannot be read is as good as nothing.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from catalog.errors import Rejected, Unavailable
from catalog.record import Check
from discover.model.config import Bind, Header, Listener, Server, Verbatim
from discover.model.empty_services import Gone, Noted, Place
from sidecar.atomic_files import read, write

log = logging.getLogger(__name__)


def text_of(listeners: Iterable[Listener]) -> str:
    """Return listeners as text, without their servers; `listeners_of` is its inverse."""
    return json.dumps([asdict(replace(listener, servers=())) for listener in listeners], indent=1)


def listeners_of(text: str) -> tuple[Listener, ...]:
    """Return the listeners in a text. Raises Rejected."""
    try:
        return tuple(map(_listener, json.loads(text)))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Rejected(f"no list of listeners: {error!r:.80}") from error


def _listener(found: dict[str, Any]) -> Listener:
    binds = tuple(Bind(str(bind["host"]), int(bind["port"])) for bind in found["binds"])
    canary = Header(**found["canary"]) if found.get("canary") else None
    made = {"binds": binds, "check": Check(**found["check"]), "servers": (), "canary": canary}
    made["routes"] = tuple(map(str, found.get("routes", ())))
    # This folder is as much the operator's as that of the snippets.
    return Listener(**{**found, **made, "snippet": tuple(map(Verbatim, found.get("snippet", ())))})


class ListenedFile:
    """The file; a failure to write it is said, and costs nobody more than an empty service's port at a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._empty = path.with_name(path.name + ".empty")
        self._noted: Mapping[Place, object] = {}

    def load(self) -> tuple[Listener, ...]:
        """Return what an earlier life listened on; nothing if that is not known."""
        try:
            text = read(self._path)
            return listeners_of(text) if text is not None else ()
        except (Rejected, Unavailable) as error:
            log.warning(
                "empty services of an earlier life are not known any more: %s: %s",
                self._path,
                error,
            )
            return ()

    def save(self, listeners: Iterable[Listener]) -> None:
        """Keep them for the next life."""
        try:
            write(self._path, text_of(listeners))
        except Unavailable as error:
            log.warning("what is listened on is not kept for the next start: %s", error)

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
        ahead_s = time.time() - time.monotonic()
        texts = [
            (*place, since + ahead_s, server.name, server.endpoint)
            for place, (server, since) in known.items()
        ]
        try:
            write(self._empty, json.dumps(texts))
        except Unavailable as error:
            log.warning("since when services are empty is not kept for the next start: %s", error)

    def noted(self) -> Noted:
        """Return the last server of services that were empty in an earlier life, and for how long they have been."""
        try:
            found = json.loads(read(self._empty) or "[]")
            return {
                (str(service), int(port)): (
                    _server(str(name), str(endpoint)),
                    max(0.0, time.time() - float(at)),
                )
                for service, port, at, name, endpoint in found
            }
        except (ValueError, TypeError, RecursionError, Unavailable) as error:
            log.warning(
                "since when services are empty is not known any more: %s: %s", self._empty, error
            )
            return {}


def _server(name: str, endpoint: str) -> Server:
    return Server(name, endpoint, weight=0, draining=False, backup=False, cookie="")
