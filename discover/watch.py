"""Keep the newest snapshot of the catalog: list at a revision, watch from the next one, list again on any loss."""

import logging
import threading
from collections.abc import Callable

from catalog.access import Access
from catalog.errors import Compacted, Unavailable
from catalog.keys import hosts_root
from catalog.store import Store, Watch
from discover.snapshot import Snapshot, apply, snapshot_of
from sidecar.actors import Actor
from sidecar.health import Health
from sidecar.log import Details
from sidecar.retry import keep_running

log = logging.getLogger(__name__)

CAP_S = 5.0  # a third of the default TTL: whoever waits longer misses what leases do


class CatalogWatch:
    """The actor that owns the snapshot; others read `latest`, which is None until the first listing."""

    def __init__(self, access: Access, prefix: str, *, changed: Callable[[str], None], health: Health) -> None:
        self.latest: Snapshot | None = None
        self._access = access
        self._prefix = prefix
        self._changed = changed
        self._health = health
        self._stop = threading.Event()
        self._store: Store | None = None
        health.expect("etcd")

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("watch", self.run, self.interrupt)

    def run(self) -> None:
        """Follow the catalog until interrupted; the last snapshot stays while etcd is away."""
        keep_running(
            self._session, name="etcd", stop=self._stop, cap_s=CAP_S, on_lost=lambda why: self._health.bad("etcd", why)
        )

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        if (store := self._store) is not None:
            store.close()

    def _session(self) -> None:
        """Follow the catalog over one connection, until it is lost."""
        self._store = store = Store(self._access)
        try:
            while not self._stop.is_set():
                self._follow(store)
        except Compacted:
            log.info("etcd compacted its history past us, listing again")
        except Unavailable:
            if not self._stop.is_set():
                raise
        finally:
            store.close()

    def _follow(self, store: Store) -> None:
        root = hosts_root(self._prefix)
        listing = store.list(root)
        self._show(snapshot_of(self._prefix, listing), "listed")
        watch: Watch = store.watch(root, listing.revision)
        self._health.good("etcd")
        for batch in watch:
            if self.latest is not None:
                self._show(apply(self._prefix, self.latest, batch), "watched")

    def _show(self, snapshot: Snapshot, how: str) -> None:
        same = snapshot.same_as(self.latest)
        self.latest = snapshot
        if not same:
            log.debug("catalog changed %s", Details(how=how, revision=snapshot.revision, records=len(snapshot.records)))
            self._changed("catalog")
