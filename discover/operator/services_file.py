"""The file that SERVICES names: read at each edit; its last good form outlives bad edits.

The thread that reads replaces what is known and never changes it. The thread that applies joins it
to the catalog.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from catalog.records.record import decode, encode
from discover.operator.file_watch import FileWatch
from discover.operator.services import (
    FILE_PREFIX,
    FileServices,
    JoinedSnapshots,
    file_services,
    services_of,
    with_last_good,
)
from discover.reasons import because
from discover.snapshot.snapshot import Service, Snapshot
from sidecar.actors import Actor
from sidecar.atomic_files import StateFile, read
from sidecar.log import Details
from sidecar.status.health import Health
from sidecar.status.problems import Problem
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

WHAT = "services"
# An editor that empties the file first writes it in the next moment.
QUIET_S, AT_MOST_S = 0.1, 1.0


def parsed(path: Path) -> FileServices:
    """Return what a file says now. Raises Rejected, or Unavailable where it cannot be read."""
    text = read(path)
    if text is None:
        raise Rejected("no such file; set SERVICES to another one, or leave it empty")
    return file_services(path.name, text)


class ServicesFile:
    """The file, and the actors that follow it. `good` keeps its last good form over restarts."""

    def __init__(self, path: Path, good: Path, health: Health) -> None:
        self._path = path
        self._health = health
        self._last_good = StateFile(
            good,
            self._text_of,
            self._services_of,
            unknown="lost the last good services: %s: %s",
            unkept="cannot save the services for the next start",
        )
        self._joined = JoinedSnapshots()
        self._content = FileServices(self._last_good.load() or {})
        self._edited = Trigger()
        self._stop = threading.Event()
        # Before anything is applied: the first round would leave out all of the file.
        self._read()

    def joined(self, snapshot: Snapshot) -> tuple[Snapshot, Mapping[str, Problem]]:
        """Return a snapshot with the file's services, and what is wrong with the file.

        For one thread.
        """
        content = self._content
        return self._joined.of(snapshot, content.services), content.problems

    def portless(self) -> Set[str]:
        """Return the services that need a claimed port. For any thread."""
        services = self._content.services
        return {name for name, service in services.items() if service.portless}

    def actors(self, changed: Callable[[str], None]) -> list[Actor]:
        """Return the actor that notices edits, and the one that reads them and calls `changed`."""

        def run() -> None:
            while not self._stop.is_set():
                if self._edited.wait():
                    self._edited.settle(QUIET_S, AT_MOST_S)

                before = self._content
                self._read()
                if self._content != before:
                    changed(WHAT)

        def interrupt() -> None:
            self._stop.set()
            self._edited.fire("stop")

        return [
            FileWatch(self._path, WHAT, self._edited.fire).actor(),
            Actor(f"{WHAT}-reader", run, interrupt),
        ]

    def _read(self) -> None:
        before = self._content.services
        try:
            content = with_last_good(parsed(self._path), before)
        except (Rejected, Unavailable) as error:
            self._refuse(f"{self._path}: {error}; its last good content stays in use")
            return

        self._content = content
        self._health.good(WHAT)
        if content.services != before:
            self._log_read(content.services)
            self._last_good.save(content.services)

    def _refuse(self, why: str) -> None:
        problems = {FILE_PREFIX.rstrip(":"): because("OUTSIDE_REFUSED", why)}
        self._content = replace(self._content, problems=problems)
        self._health.bad(WHAT, why)

    def _log_read(self, services: Mapping[str, Service]) -> None:
        servers = sum(len(service.records) for service in services.values())
        log.info(
            "read services %s", Details(file=self._path, services=len(services), servers=servers)
        )

    def _services_of(self, content: bytes) -> Mapping[str, Service]:
        """Return what an earlier life read from this file; nothing if it read another."""
        kept = json.loads(content)
        if kept.get("file") != str(self._path):
            return {}
        return services_of(decode(text.encode()) for text in kept["records"])

    def _text_of(self, services: Mapping[str, Service]) -> str:
        records: list[str] = []
        for service in services.values():
            records += [encode(record.instance).decode() for record in service.records.values()]
        return json.dumps({"file": str(self._path), "records": records})
