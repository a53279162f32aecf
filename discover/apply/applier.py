"""Bring a text to HAProxy: at runtime, or by candidate, check, rename, reload and confirmation.

The owner of HAProxy's files. Whatever way a change takes, the file is one that HAProxy runs or
would run.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.apply.plan import ServerChange, route_changes
from discover.apply.running import Worker
from discover.apply.runtime import (
    RestingServers,
    commands,
    route_commands,
    states_of,
    verify,
    verify_all,
)
from discover.haproxy.batches import batches
from discover.haproxy.map_file import MapFiles, text_of
from discover.haproxy.owed_files import OwedFiles
from discover.haproxy.process import HAProxy
from discover.haproxy.replies import Mismatch, expect_done, map_entries
from discover.model.proxy_config import OPEN_MARKER
from discover.stubs.disconnect import disconnect
from discover.text.marker import marker_of, next_marker
from discover.text.render import Rendered, rendered_of
from sidecar.atomic_files import read, write
from sidecar.status.metrics import Metrics

log = logging.getLogger(__name__)

START_S = 5.0  # a supervisor starts it again after one second
CONFIRM_S = 10.0  # 10,000 servers took under 0.4 s; a start waits for its supervisor


class Applier:
    """HAProxy and its file as one thing."""

    def __init__(
        self, haproxy: HAProxy, config: Path, *, stop: threading.Event, metrics: Metrics
    ) -> None:
        self.stop = stop
        self._haproxy = haproxy
        self._config = config
        self._maps = MapFiles(config.parent)
        self._owed = OwedFiles()
        self._resting = RestingServers()
        self._mismatched = ""  # the text that had other servers than the worker
        self._metrics = _Metrics(metrics)

    @property
    def resting(self) -> int:
        """How many servers rest in maintenance; each costs some kilobytes."""
        return len(self._resting)

    @property
    def owes(self) -> bool:
        """Whether a file is behind what HAProxy runs, as it could not be written."""
        return bool(self._owed)

    def settle(self) -> None:
        """Write the files that are behind. Raises Unwritten if that cannot be done yet."""
        self._owed.settle()

    def has_file(self) -> bool:
        """Whether there is a configuration of an earlier life."""
        return self._config.exists()

    def worker(self, known: Worker | None) -> Worker | None:
        """Return what the worker's servers prove that it runs: `known`, or else the file.

        None if the worker runs something else, or there is no file that can be run. Starts HAProxy
        if it does not run and nobody else starts it.
        """
        text = read(self._config)
        if text is None:
            return None

        marker = marker_of(text)
        try:
            if not self._haproxy.answers():
                self._haproxy.confirm(marker, self.stop, START_S)
            if self._haproxy.marker() == marker:
                return self._proven(known, self._of_file(text))
        except (Rejected, Unavailable) as error:
            # Perhaps a port of it was taken since. A new file, made for what is here now, is the
            # way out.
            log.warning("cannot run the last configuration: %s", error)
        return None

    def _of_file(self, text: str) -> Worker:
        marker = marker_of(text)
        routes = self._maps.read(marker) if marker else None
        return Worker(replace(rendered_of(text), routes=routes), marker)

    def _proven(self, known: Worker | None, of_file: Worker) -> Worker | None:
        """Return which of both the worker's servers prove that it runs, or None."""
        found = known or of_file
        why = self._difference(found)
        if why is None:
            return found

        if found.rendered != of_file.rendered and self._difference(of_file) is None:
            # It was started again from a file that the last changes could not be written to.
            return of_file

        log.warning("HAProxy's servers differ from its file: %s", why)
        # One reload puts it right; what differs even then is a matter of spelling, and never will
        # be right.
        again = found.rendered.text == self._mismatched
        self._mismatched = found.rendered.text
        return found if again else None

    def _difference(self, expected: Worker) -> Mismatch | None:
        """Return how the worker's servers or its map differ from what is expected, or None."""
        try:
            self._verify_servers(expected)
            self._verify_map(expected)
        except Mismatch as why:
            return why
        return None

    def _verify_servers(self, expected: Worker) -> None:
        states = states_of(self._haproxy.ask("@1 show servers state"))
        for section in expected.rendered.sections.values():
            if section.servers and section.plain:
                verify_all(section, states.get(section.name, {}))

    def _verify_map(self, expected: Worker) -> None:
        routes = expected.rendered.routes
        if routes is None:
            return

        answer = self._haproxy.ask(f"@1 show map {self._map_name(expected)}")
        if map_entries(answer) != routes:
            raise Mismatch("the door's map differs")

    def _map_name(self, worker: Worker) -> str:
        """Return the name of the door's map in the worker."""
        return self._maps.path(worker.marker or "").name

    def update(self, worker: Worker, wanted: Rendered, changes: Sequence[ServerChange]) -> Worker:
        """Change servers and the map at runtime, then the files.

        Raises Mismatch if HAProxy did not do all of it.

        A file that cannot be written is owed: HAProxy still follows the catalog.
        """
        marker = worker.marker or ""
        routes = route_changes(worker.rendered.routes, wanted.routes)
        removed = [route for route in routes if route.after is None]
        leading = [route for route in routes if route.after is not None]

        try:
            # A route that goes leaves before its servers; one that leads to new servers comes after
            # them.
            self._do(route_commands(removed, self._map_name(worker)))
            for proxy, its_changes in groupby(changes, key=attrgetter("proxy")):
                self._change_servers(proxy, tuple(its_changes))
            self._do(route_commands(leading, self._map_name(worker)))
        except Mismatch:
            self._metrics.updates.labels("refused").inc()
            raise

        self._metrics.updates.labels("ok").inc()
        disconnect(self._haproxy.ask, worker.rendered, wanted)

        # HAProxy has taken the very words that the new lines have, so they need no check of their
        # own.
        if routes and wanted.routes is not None:
            self._owed.write(self._maps.path(marker), text_of(wanted.routes))
        if changes:
            self._owed.write(self._config, wanted.marked(marker))
        return Worker(wanted, worker.marker)

    def _do(self, texts: Iterable[str]) -> None:
        for line in batches(texts):
            expect_done(self._haproxy.ask(line))

    def _change_servers(self, proxy: str, changes: Sequence[ServerChange]) -> None:
        self._do(commands(changes, self._resting.rows(changes)))

        states = states_of(self._haproxy.ask(f"@1 show servers state {proxy}"))
        verify(changes, states.get(proxy, {}))

        self._resting.note(changes)

    def release(self, worker: Worker, wanted: Rendered, listeners: Iterable[str]) -> Worker:
        """Make listeners stop listening at runtime, then write the file without their addresses.

        Connections that are open go on. Raises Mismatch if HAProxy did not do it.
        """
        for line in batches(f"disable frontend {name}" for name in listeners):
            for answer in filter(None, self._haproxy.ask(line).splitlines()):
                if "already disabled" not in answer:
                    raise Mismatch(f"HAProxy answered {answer!r:.120}")

        self._owed.write(self._config, wanted.marked(worker.marker or ""))
        return Worker(wanted, worker.marker)

    def reload(self, worker: Worker | None, wanted: Rendered) -> Worker:
        """Make HAProxy run a text.

        Raises Rejected if it refuses it; then the last good one goes on.

        A refused text stays as the candidate, for whoever wants to read the line that HAProxy
        complains about.
        """
        # If it is not known what runs, most likely it is the file: its marker must not come twice
        # either.
        shown = worker.marker if worker else self._file_marker()
        marker = next_marker(wanted.text, shown)
        mismatched, self._mismatched = self._mismatched, ""

        try:
            with self._metrics.seconds.time():
                if wanted.routes is not None:
                    self._maps.tidy(self._file_marker() or "")
                self._swap(wanted, marker)
        except Rejected:
            self._metrics.reloads.labels("refused").inc()
            raise
        except Unavailable:
            self._metrics.reloads.labels("failed").inc()
            raise

        self._metrics.reloads.labels("ok").inc()
        # Only after a reload that came about is a difference that stays a matter of spelling.
        self._mismatched = mismatched
        self._owed.forget()
        self._resting.clear()
        self._maps.tidy(marker)
        if worker is not None:
            disconnect(self._haproxy.ask, worker.rendered, wanted)
        return Worker(wanted, marker)

    def _file_marker(self) -> str | None:
        return marker_of(read(self._config) or "")

    def check(self, wanted: Rendered) -> Path:
        """Let HAProxy read a text that is not to be run, and return the file that it stands in.

        Raises Rejected.
        """
        return self._check(".sample", wanted.text, wanted, OPEN_MARKER)

    def _check(self, suffix: str, text: str, wanted: Rendered, marker: str) -> Path:
        """Let HAProxy read a text, and return the file that it stands in. Raises Rejected."""
        file = self._config.with_name(self._config.name + suffix)
        write(file, text)
        if wanted.routes is not None:
            self._maps.write(marker, wanted.routes)

        self._haproxy.check(file)
        return file

    def _swap(self, wanted: Rendered, marker: str) -> None:
        """Have HAProxy take over a text in the file; put the last one back if it does not."""
        began_s = time.monotonic()
        candidate = self._check(".candidate", wanted.marked(marker), wanted, marker)
        # A worker reads the text as slowly as the check did.
        within_s = CONFIRM_S + 2 * (time.monotonic() - began_s)

        before = read(self._config)
        candidate.replace(self._config)
        try:
            self._haproxy.reload(marker, self.stop, within_s)
        except (Rejected, Unavailable):
            if before is not None and not self.stop.is_set():
                self._config.replace(candidate)
                write(self._config, before)
            raise


class _Metrics:
    """What is counted of changes to HAProxy."""

    def __init__(self, metrics: Metrics) -> None:
        self.reloads = metrics.counter("discover_reloads", "Reloads of HAProxy", "result")
        self.updates = metrics.counter(
            "discover_updates", "Changes made through HAProxy's runtime API", "result"
        )
        self.seconds = metrics.histogram(
            "discover_reload_seconds",
            "Time from the check to the new worker's answer",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
