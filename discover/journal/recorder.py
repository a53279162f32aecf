"""Write the journal, beside all else: other threads leave what they see, and none of them waits.

What cannot be kept is lost: that costs the journal, never a change.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.asking.journal import NOTHING, Line
from catalog.version import VERSION
from discover.journal.catalog_story import CatalogStory
from discover.journal.file import Broken, JournalFile, Unkept
from discover.journal.proxy_story import Applied, ProxyStory, Told
from discover.snapshot.etcd_watch import Seen
from discover.snapshot.state import State
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.status.metrics import Metrics
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

# Each item holds on to a form of the catalog; so a flood takes no more memory than these.
ITEMS_MAX = 256
ITEMS_MANY = 16  # are written without waiting for more
QUIET_S, AT_MOST_S = 0.2, 1.0  # before a write: a burst is one, and a change comes first


@dataclass(frozen=True, slots=True)
class _Step:
    """What the keeper made of the suspects."""

    before: State
    after: State


_Item = Seen | _Step | Told


@dataclass(frozen=True, slots=True)
class _Left:
    """What was left here, and when: by the wall clock, and by the one that measures."""

    item: _Item
    at_ms: int
    now_s: float


class Recorder:
    """The actor that keeps the journal. `seen`, `stepped` and `told` are for any thread."""

    def __init__(self, path: Path, prefix: str, metrics: Metrics) -> None:
        self._file = JournalFile(path)
        self._items: deque[_Left] = deque()
        self._awake = Trigger()
        self._is_awake = False
        self._stop = threading.Event()
        self._catalog = CatalogStory(prefix)
        self._proxy = ProxyStory()
        self._last_id: int | None = None  # None: the file has not been read yet
        self._unkept_id = 0
        self._dropped = 0  # items that had no room; written by other threads
        self._lost = 0  # lines that were not kept
        self._complaint = ""
        self._has_begun = False
        self._lost_lines = metrics.counter(
            "discover_journal_lost_lines", "Changes that the journal could not keep"
        )

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("journal", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._awake.fire("stop")

    def seen(self, seen: Seen) -> None:
        """Take what etcd showed. It is written once a round is over."""
        self._leave(seen)

    def stepped(self, before: State, after: State) -> None:
        """Take what became of the suspects. It is written once a round is over."""
        if after.dropped:
            self._leave(_Step(before, after))

    def told(self, told: Told) -> None:
        """Take what a round did."""
        self._leave(told)
        if not self._is_awake:
            self._is_awake = True
            self._awake.fire("round")

    def _leave(self, item: _Item) -> None:
        if len(self._items) >= ITEMS_MAX:
            self._dropped += 1
            return

        self._items.append(_Left(item, round(time.time() * 1000), time.monotonic()))
        if len(self._items) == ITEMS_MANY:
            self._awake.fire("many")

    def run(self) -> None:
        """Write what is left here until interrupted."""
        while not self._stop.is_set():
            if "round" in self._awake.wait():
                self._awake.settle(QUIET_S, AT_MOST_S)

            # Before the items are taken: one that comes now wakes this thread again.
            self._is_awake = False
            self._work()

        self._work()
        self._file.close()

    def _work(self) -> None:
        """Write all that was left here."""
        lines: dict[int, Line] = {}
        applied: list[Applied] = []
        is_known = self._open()

        for _ in range(len(self._items)):
            left = self._items.popleft()
            arrived, found = self._story_of(left)
            for it in arrived:
                if it.id in lines:
                    lines[it.id] = replace(lines[it.id], how=it.how, took_ms=it.took_ms)
                else:
                    applied.append(it)

            for line in found:
                numbered = replace(line, id=self._id())
                lines[numbered.id] = numbered
                self._proxy.wait_for(numbered, left.now_s)

        self._keep(tuple(lines.values()), applied, is_known=is_known)

    def _story_of(self, left: _Left) -> tuple[list[Applied], list[Line]]:
        match left.item:
            case Told() as told:
                return self._of_round(told, left)
            case Seen() as seen:
                return [], self._catalog.seen(seen, left.at_ms)
            case _Step(before, after):
                return [], self._catalog.stepped(before, after, left.at_ms)

    def _of_round(self, told: Told, left: _Left) -> tuple[list[Applied], list[Line]]:
        arrived = self._proxy.applied(told, left.now_s)
        are_explained = bool(arrived or self._proxy.waiting)
        lines = self._proxy.lines(told, left.at_ms, are_explained=are_explained)
        if not self._has_begun:
            self._has_begun = True
            lines.insert(0, _own(told, left, "start", f"docker-discover {VERSION}"))
        if self._lost + self._dropped and self._last_id is not None:
            lines.append(_own(told, left, "gap", f"{self._lost + self._dropped} were lost"))
        return arrived, lines

    def _id(self) -> int:
        # While the file cannot be read nothing is kept: then no line of it has such a number.
        if self._last_id is None:
            self._unkept_id -= 1
            return self._unkept_id
        self._last_id += 1
        return self._last_id

    def _open(self) -> bool:
        """Find out where the journal goes on; return whether it can."""
        if self._last_id is not None:
            return True
        try:
            try:
                self._last_id = self._file.last_id()
            except Broken as error:
                self._begin_anew(error)
                self._last_id = self._file.last_id()
        except Unkept as error:
            self._complain(error)
            return False
        return True

    def _keep(self, lines: Sequence[Line], applied: list[Applied], *, is_known: bool) -> None:
        if not lines and not applied:
            return
        if not is_known:
            self._count_lost(len(lines))
            return

        try:
            self._add(lines, applied)
        except Unkept as error:
            self._lose(len(lines), error)
            return

        if self._complaint:
            log.info("the journal is kept again %s", Details(lost=self._lost))
        self._complaint = ""
        if any(line.what == "gap" for line in lines):
            self._lost = self._dropped = 0

    def _begin_anew(self, error: Broken) -> None:
        aside = self._file.move_aside()
        log.warning(
            "the journal was damaged and begins anew: %s %s", error, Details(kept_as=str(aside))
        )

    def _add(self, lines: Sequence[Line], applied: Sequence[Applied]) -> None:
        try:
            self._file.add(lines, applied)
        except Broken as error:
            self._begin_anew(error)
            self._file.add(lines)

    def _count_lost(self, count: int) -> None:
        self._lost += count
        self._lost_lines.inc(count)

    def _lose(self, count: int, error: Unkept) -> None:
        self._count_lost(count)
        self._file.close()
        self._last_id = None
        self._complain(error)

    def _complain(self, error: Unkept) -> None:
        if not self._complaint:
            log.warning("the journal cannot be kept, all else goes on: %s", error)
        self._complaint = str(error) or self._complaint


def _own(told: Told, left: _Left, what: str, detail: str) -> Line:
    return Line(
        what=what,
        revision=told.revision,
        at_ms=left.at_ms,
        detail=detail,
        own=1,
        how=NOTHING,
    )
