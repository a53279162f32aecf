"""Follow the catalog: list at a revision, watch from the next one, list again on any loss."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from catalog.access import Access
from catalog.asking.inbox import Inbox
from catalog.entries import Event
from catalog.errors import Compacted
from catalog.keys import is_of_people, root
from catalog.session import Session
from catalog.store import Store, Watch
from discover.snapshot.departures import Departures, in_batch, in_listing, is_rewound
from discover.snapshot.keeper import Learned
from discover.snapshot.snapshot import Snapshot, apply, snapshot_of
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.retry import keep_running
from sidecar.status.health import Health

log = logging.getLogger(__name__)

CAP_S = 5.0  # a third of the default TTL: a longer wait would miss the end of leases


@dataclass(frozen=True, slots=True)
class Seen:
    """A change of the catalog as etcd showed it; no events: by a listing."""

    before: Snapshot
    after: Snapshot
    events: tuple[Event, ...] | None
    departures: Departures
    heard_s: float
    is_new: bool  # False: what came in one batch went in it again


class CatalogWatch:
    """The actor that follows the catalog. `latest` is its last form, or that of an earlier life.

    `learned` gets each change, `heard` is called for each answer of etcd. `inbox` gets the
    questions, which stand in etcd beside the catalog: so they need no watch of their own.
    """

    def __init__(
        self,
        access: Access,
        prefix: str,
        *,
        latest: Snapshot,
        seen_s: float | None,
        learned: Callable[[Learned], None],
        heard: Callable[[], None],
        health: Health,
        inbox: Inbox | None = None,
    ) -> None:
        self.latest = latest
        # The revision of the last catalog that was given to `learned`; set before `latest`.
        self.learned_revision = 0
        self.seen: Callable[[Seen], None] = lambda _seen: None  # told of each change
        self._inbox = inbox
        self._prefix = prefix
        self._seen_s = seen_s  # when `latest` was last known to be right; None: it is
        self._learned = learned
        self._heard = heard
        self._health = health
        self._etcd = Session(access)
        self._watch: Watch | None = None
        self._lost_s: float | None = None  # since when etcd says nothing
        self.on_silence: Callable[[], None] = lambda: None  # called when etcd is lost
        self._listed = False
        health.expect("etcd")

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("watch", self.run, self.interrupt)

    def run(self) -> None:
        """Follow the catalog until interrupted; the last snapshot stays while etcd is away."""
        keep_running(
            self._session,
            name="etcd",
            stop=self._etcd.ended,
            cap_s=CAP_S,
            on_lost=self._lost,
        )

    def silent_s(self) -> float:
        """Return since how many seconds etcd says nothing. For any thread."""
        lost_s = self._lost_s
        return 0.0 if lost_s is None else time.monotonic() - lost_s

    def _lost(self, why: str) -> None:
        self._health.bad("etcd", why)
        if self._lost_s is None:
            self._lost_s = time.monotonic()
            self.on_silence()

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()

    def _session(self) -> None:
        """Follow the catalog over one connection, until it is lost."""
        with self._etcd.store() as store:
            try:
                while not self._etcd.ended.is_set():
                    self._follow(store)
            except Compacted:
                log.info("the watch fell behind etcd's compaction, listing again")

    def listed(self) -> Snapshot | None:
        """Return the last form of the catalog, once etcd itself has said it."""
        return self.latest if self._listed else None

    def level(self, revision: int) -> int:
        """Return up to where the catalog of a revision still holds: what came since is not of it.

        For any thread.
        """
        seen = self.latest.revision  # before `learned_revision`, which is set first
        return seen if revision and revision == self.learned_revision else revision

    def resync(self) -> None:
        """List anew: what was watched cannot be trusted."""
        if (watch := self._watch) is not None:
            watch.cancel()

    def _follow(self, store: Store) -> None:
        """List, then watch from that revision, until the watch ends."""
        everything = root(self._prefix)
        listing = store.list(everything)
        before, after = self.latest, snapshot_of(self._prefix, listing)
        if is_rewound(before, after):
            _log_rewound(before, after)
        self._show(after, in_listing(before, after), None)
        if self._inbox:
            self._inbox.listed(listing.entries)

        watch = store.watch(everything, listing.revision)
        self._watch = watch
        self._health.good("etcd")
        self._lost_s = None
        for batch in watch:
            before, after = self.latest, apply(self._prefix, self.latest, batch)
            self._show(after, in_batch(self._prefix, before, batch, after), batch.events)
            if self._inbox:
                self._inbox.changed(batch.events)

    def _show(
        self, snapshot: Snapshot, departures: Departures, events: tuple[Event, ...] | None
    ) -> None:
        before = self.latest
        is_new = bool(departures) or (
            not self._listed or not snapshot.same_as(before) or snapshot.cluster != before.cluster
        )
        if is_new:
            self.learned_revision = snapshot.revision
        self.latest = snapshot
        self._heard()
        self._listed = True

        now_s = time.monotonic()
        if is_new or self._is_of_catalog(events or ()):
            self.seen(Seen(before, snapshot, events, departures, now_s, is_new))
        if is_new:
            services = len(snapshot.services)
            log.debug(
                "catalog changed %s",
                Details(
                    how="listed" if events is None else "watched",
                    revision=snapshot.revision,
                    services=services,
                ),
            )
            self._learned(Learned(snapshot, departures, now_s, self._seen_s))
        self._seen_s = None

    def _is_of_catalog(self, events: Iterable[Event]) -> bool:
        return not all(is_of_people(self._prefix, event.key) for event in events)


def _log_rewound(before: Snapshot, after: Snapshot) -> None:
    log.warning(
        "etcd is another cluster, or was restored from a backup %s",
        Details(revision=after.revision, before=before.revision, cluster=f"{after.cluster:x}"),
    )
