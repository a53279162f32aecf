"""Bring a configuration to HAProxy: at runtime where that does, else candidate, check, rename, reload, confirm.

The owner of HAProxy's file. Whatever way a change takes, the file is one that HAProxy runs or would run.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.apply.plan import ServerChange, route_changes
from discover.apply.running import Worker
from discover.apply.runtime import (
    MAINT,
    Row,
    commands,
    route_commands,
    states_of,
    verify,
    verify_all,
)
from discover.haproxy.batches import batches
from discover.haproxy.map_file import MapFiles, text_of
from discover.haproxy.process import HAProxy
from discover.haproxy.replies import Mismatch, expect_done, map_entries
from discover.model.config import OPEN_MARKER
from discover.stubs.takeover import (
    each_shutdown,
    held_by,
    old_workers,
    questions,
    shutdowns,
    superseded,
)
from discover.text.marker import marker_of, next_marker
from discover.text.render import Rendered, rendered_of
from discover.text.sections import ServerLine
from sidecar.atomic_files import Unwritten, read, write
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
        # Servers that went at runtime and rest in maintenance, until the next reload leaves them out.
        self._resting: dict[tuple[str, str], ServerLine] = {}
        self._mismatched = ""  # the text whose servers were others in the worker
        self._owed: dict[Path, str] = {}  # what files should say, but could not be written
        self._reloads = metrics.counter("discover_reloads", "Reloads of HAProxy", "result")
        self._updates = metrics.counter(
            "discover_updates", "Changes made through HAProxy's runtime API", "result"
        )
        self._seconds = metrics.histogram(
            "discover_reload_seconds",
            "From the check to the new worker's answer",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )

    @property
    def resting(self) -> int:
        """How many servers rest in maintenance; each costs some kilobytes."""
        return len(self._resting)

    def worker(self, known: Worker | None) -> Worker | None:
        """Return what runs: `known`, or else what the file of an earlier life says, if the worker proves it.

        None when the worker runs something else, or when there is no file that can be run. Starts HAProxy if it does
        not run and nobody else starts it.
        """
        if (text := read(self._config)) is None:
            return None
        try:
            if not self._haproxy.answers():
                self._haproxy.confirm(marker_of(text), self.stop, START_S)
            if self._haproxy.marker() == marker_of(text):
                return self._as_told(known, self._of_file(text))
        except (Rejected, Unavailable) as error:
            # Perhaps a port of it was taken since. A new file, made for what is here now, is the way out.
            log.warning("the last configuration does not run: %s", error)
        return None

    def _of_file(self, text: str) -> Worker:
        marker = marker_of(text)
        routes = self._maps.read(marker) if marker else None
        return Worker(replace(rendered_of(text), routes=routes), marker)

    def has_file(self) -> bool:
        """Whether there is a configuration of an earlier life."""
        return self._config.exists()

    def _as_told(self, known: Worker | None, of_file: Worker) -> Worker | None:
        """Return what the worker runs: what is thought to, or what the file says, as its servers prove; else None."""
        found = known or of_file
        if (why := self._difference(found)) is None:
            return found
        if found.rendered != of_file.rendered and self._difference(of_file) is None:
            return of_file  # it was started again from a file that the last changes could not be written to
        log.warning("HAProxy has other servers than its file: %s", why)
        # One reload puts it right; what differs even then is a matter of spelling, and never will be right.
        again, self._mismatched = found.rendered.text == self._mismatched, found.rendered.text
        return found if again else None

    def _difference(self, found: Worker) -> Mismatch | None:
        """Return what of the worker's servers is not as this says, or None."""
        try:
            states = states_of(self._haproxy.ask("@1 show servers state"))
            for section in found.rendered.sections.values():
                if section.servers and section.plain:
                    verify_all(section, states.get(section.name, {}))
            routes = found.rendered.routes
            if (
                routes is not None
                and map_entries(self._haproxy.ask(f"@1 show map {self._map(found)}")) != routes
            ):
                return Mismatch("the map of the door is another one")
        except Mismatch as why:
            return why
        return None

    def _map(self, running: Worker) -> str:
        """Return the name of the door's map in the worker."""
        return self._maps.path(running.marker or "").name

    @property
    def owes(self) -> bool:
        """Whether a file is behind what HAProxy was told at runtime, as it could not be written."""
        return bool(self._owed)

    def settle(self) -> None:
        """Write what is owed to the files, if that can be done by now."""
        for path, text in tuple(self._owed.items()):
            write(path, text)
            log.info("%s is written again", path)
            del self._owed[path]

    def update(self, running: Worker, wanted: Rendered, changes: Sequence[ServerChange]) -> Worker:
        """Change servers and the map at runtime, then the files. Raises Mismatch if HAProxy did not do all of it.

        A file that cannot be written is owed: HAProxy goes on to follow the catalog.
        """
        routes = route_changes(running.rendered.routes, wanted.routes)
        gone, led = (
            [r for r in routes if r.after is None],
            [r for r in routes if r.after is not None],
        )
        try:
            # What leads nowhere any more goes before its servers, what leads to new ones comes after them.
            self._say(route_commands(gone, self._map(running)))
            for proxy, those in groupby(changes, key=attrgetter("proxy")):
                self._change(proxy, tuple(those))
            self._say(route_commands(led, self._map(running)))
        except Mismatch:
            self._updates.labels("refused").inc()
            raise
        self._updates.labels("ok").inc()
        self._end_superseded(running, wanted)
        # HAProxy has taken the very words that the new lines have, so they need no check of their own.
        if routes and wanted.routes is not None:
            self._keep(self._maps.path(running.marker or ""), text_of(wanted.routes))
        if changes:
            self._keep(self._config, wanted.marked(running.marker or ""))
        return Worker(wanted, running.marker)

    def _keep(self, path: Path, text: str) -> None:
        try:
            write(path, text)
        except Unwritten as error:
            if not self._owed:
                log.warning(
                    "servers are changed all the same, but a restart of HAProxy would not know: %s",
                    error,
                )
            self._owed[path] = text
        else:
            self._owed.pop(path, None)

    def _say(self, texts: Sequence[str]) -> None:
        for line in batches(texts):
            expect_done(self._haproxy.ask(line))

    def _change(self, proxy: str, changes: Sequence[ServerChange]) -> None:
        rows = {change.name: row for change in changes if (row := self._row(change)) is not None}
        self._say(commands(changes, rows))
        verify(
            changes, states_of(self._haproxy.ask(f"@1 show servers state {proxy}")).get(proxy, {})
        )
        for change in changes:
            place = (proxy, change.name)
            if change.after is not None:
                self._resting.pop(place, None)
            elif change.before is not None:
                self._resting[place] = change.before

    def _row(self, change: ServerChange) -> Row | None:
        """Return the server as it must be in the worker now; if it is not, that shows in what it answers."""
        if change.before is not None:
            return Row(change.before.endpoint, change.before.weight, admin=0)
        resting = self._resting.get((change.proxy, change.name))
        if resting is None:
            return None
        if change.after is not None and change.after.words != resting.words:
            raise Mismatch(f"{change}: a server of this name rests there with other options")
        return Row(resting.endpoint, resting.weight, MAINT)

    def reload(self, running: Worker | None, wanted: Rendered) -> Worker:
        """Make HAProxy run a text. Raises Rejected if it refuses it; then the last good one goes on.

        A refused text stays as the candidate, for whoever wants to read the line that HAProxy complains about.
        """
        # Where it is not known what runs, most likely it is the file: its marker must not come twice either.
        shown = running.marker if running else marker_of(read(self._config) or "")
        marker = next_marker(wanted.text, shown)
        # What differs is only a matter of spelling if it does after a reload that came about.
        mismatched, self._mismatched = self._mismatched, ""
        try:
            with self._seconds.time():
                if wanted.routes is not None:
                    self._maps.tidy(marker_of(read(self._config) or "") or "")
                self._swap(*self._checked(wanted, marker))
        except Rejected:
            self._reloads.labels("refused").inc()
            raise
        except Unavailable:
            self._reloads.labels("failed").inc()
            raise
        self._reloads.labels("ok").inc()
        self._mismatched = mismatched
        self._owed.clear()
        self._resting.clear()
        self._maps.tidy(marker)
        if running is not None:
            self._end_superseded(running, wanted)
        return Worker(wanted, marker)

    def _end_superseded(self, running: Worker, wanted: Rendered) -> None:
        """End the connections to stubs of what real instances take over now, in old workers too."""
        servers = superseded(running.rendered.sections, wanted.sections)
        stubs = {*servers, *(wanted.superseded - running.rendered.superseded)}
        if not stubs:
            return
        try:
            for line in batches(shutdowns(servers)):
                self._haproxy.ask(line)
            for worker in old_workers(self._haproxy.ask("show proc")):
                held = held_by(stubs, self._haproxy.ask(f"{worker}show sess"))
                modes = "".join(map(self._haproxy.ask, batches(questions(held), worker)))
                for line in batches(each_shutdown(held, modes), worker):
                    self._haproxy.ask(line)
        except Unavailable as error:
            log.warning("connections to stubs may stay open: %s", error)

    def check(self, wanted: Rendered, marker: str = "") -> Path:
        """Let HAProxy read a text, and return the file it stands in. Raises Rejected."""
        candidate = self._config.with_name(
            self._config.name + (".candidate" if marker else ".sample")
        )
        write(candidate, wanted.marked(marker) if marker else wanted.text)
        if wanted.routes is not None:
            self._maps.write(marker or OPEN_MARKER, wanted.routes)
        self._haproxy.check(candidate)
        return candidate

    def _checked(self, wanted: Rendered, marker: str) -> tuple[Path, str, float]:
        """Return the checked candidate, its marker, and how long a worker may take to run it."""
        began_s = time.monotonic()
        candidate = self.check(wanted, marker)
        return (
            candidate,
            marker,
            CONFIRM_S + 2 * (time.monotonic() - began_s),
        )  # it reads the text as slowly

    def _swap(self, candidate: Path, marker: str, within_s: float) -> None:
        before = read(self._config)
        candidate.replace(self._config)
        try:
            self._haproxy.reload(marker, self.stop, within_s)
        except (Rejected, Unavailable):
            if before is not None and not self.stop.is_set():
                self._config.replace(candidate)
                write(self._config, before)
            raise
