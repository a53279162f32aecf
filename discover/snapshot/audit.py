"""Compare what was watched with what etcd has, every minute or so: keys and revisions only, and no write.

It is the only defence against a store that lost events, or was wiped and written past our revision unseen.
"""

import logging
import random
from collections.abc import Callable

from catalog.access import Access
from catalog.entries import Listing
from catalog.errors import Unavailable
from catalog.keys import DrainedKey, OwnerKey, PortKey, PurgeKey, key_of, root
from catalog.session import Session
from discover.snapshot.departures import is_rewound
from discover.snapshot.snapshot import Snapshot
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.status.metrics import Metrics

log = logging.getLogger(__name__)

EVERY_S, JITTER = 60.0, 0.2  # or all hosts that were started together would ask together
AGAIN_S = 3.0  # a watch that is only late has caught up by then

Stand = tuple[str, int]  # a key and the revision that wrote it last


class Audit:
    """The actor that makes the comparison."""

    def __init__(
        self,
        access: Access,
        prefix: str,
        *,
        latest: Callable[[], Snapshot | None],
        good: Callable[[], None],
        resync: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self._etcd, self._prefix = Session(access), prefix
        self._latest, self._good, self._resync = latest, good, resync
        self._results = metrics.counter(
            "discover_audits", "Comparisons of the watched catalog with etcd", "result"
        )

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("audit", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()

    def run(self) -> None:
        """Compare until interrupted."""
        while not self._etcd.ended.wait(EVERY_S * random.uniform(1 - JITTER, 1 + JITTER)):  # noqa: S311  no secret
            self.once()

    def once(self) -> None:
        """Compare, twice if there is a difference; one that stays is put right by a new listing."""
        try:
            wrong = self._differences()
            if wrong and not self._etcd.ended.wait(AGAIN_S):
                wrong &= self._differences()
        except Unavailable:  # whoever watches says so
            self._results.labels("unavailable").inc()
            return
        self._results.labels("mismatch" if wrong else "ok").inc()
        if wrong:
            keys = sorted({key for key, _ in wrong})
            log.error(
                "what was watched is not what etcd has, listing anew %s",
                Details(keys=len(keys), first=keys[0]),
            )
            self._resync()
        else:
            self._good()

    def _differences(self) -> frozenset[Stand]:
        if (before := self._latest()) is None:
            raise Unavailable("nothing has been listed yet")
        # A connection for a moment costs less than one that is held.
        with self._etcd.store() as store:
            listing = store.list(root(self._prefix), values=False)
        if is_rewound(before, Snapshot(listing.revision, {}, {}, cluster=listing.cluster)):
            return frozenset({(f"cluster {listing.cluster:x}", listing.revision)})
        return differences(self._prefix, self._latest() or before, listing)


def differences(prefix: str, watched: Snapshot, listing: Listing) -> frozenset[Stand]:
    """Return how keys stand in one of both only; some are on their way, and do not stand so a moment later."""
    known = {(key, record.modified) for key, record in watched.records.items()}
    known |= {
        (key_of(prefix, OwnerKey(host)), owner.modified) for host, owner in watched.owners.items()
    }
    known |= {
        (key_of(prefix, PortKey(service)), claim.modified)
        for service, claim in watched.claims.items()
    }
    marks = {key_of(prefix, PurgeKey(host)) for host in watched.purged}
    marks |= {key_of(prefix, DrainedKey(host)) for host in watched.drained}
    unread = watched.refused.keys() | marks  # followed, but not by revision
    listed = {
        (entry.key, entry.mod_revision) for entry in listing.entries if entry.key not in unread
    }
    return frozenset(known ^ listed)
