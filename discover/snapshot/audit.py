"""Compare what was watched with what etcd has, every minute: keys and revisions only, no write.

It is the only defence against a store that lost events, or was wiped and written past our revision
unseen.
"""

import logging
import random
from collections.abc import Callable
from typing import NamedTuple

from catalog.access import Access
from catalog.entries import Listing
from catalog.errors import Unavailable
from catalog.keys import (
    DrainedKey,
    HostPortsKey,
    OwnerKey,
    PortKey,
    PurgeKey,
    is_of_people,
    key_of,
    root,
)
from catalog.session import Session
from discover.snapshot.departures import is_rewound
from discover.snapshot.snapshot import Snapshot
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.status.metrics import Metrics

log = logging.getLogger(__name__)

# Or all hosts that were started together would ask together.
EVERY_S, JITTER = 60.0, 0.2
AGAIN_S = 3.0  # by then a watch that is only late has caught up


class Written(NamedTuple):
    """A key, and the revision that wrote it last."""

    key: str
    revision: int


class Audit:
    """The actor that makes the comparison.

    It calls `good` if nothing differs, and `resync` if a difference stays.
    """

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
        self._etcd = Session(access)
        self._prefix = prefix
        self._latest = latest
        self._good = good
        self._resync = resync
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
        while not self._etcd.ended.wait(_pause_s()):
            self.once()

    def once(self) -> None:
        """Compare, and again after a difference; one that stays is put right by a new listing."""
        try:
            wrong = self._differences()
            if wrong and not self._etcd.ended.wait(AGAIN_S):
                wrong &= self._differences()
        except Unavailable:  # the watch says so
            self._results.labels("unavailable").inc()
            return

        self._results.labels("mismatch" if wrong else "ok").inc()
        if not wrong:
            self._good()
            return

        keys = sorted({written.key for written in wrong})
        log.error(
            "the watched catalog differs from etcd, listing again %s",
            Details(keys=len(keys), first=keys[0]),
        )
        self._resync()

    def _differences(self) -> frozenset[Written]:
        before = self._latest()
        if before is None:
            raise Unavailable("nothing has been listed yet")

        # A connection for a moment costs less than one that is held.
        with self._etcd.store() as store:
            listing = store.list(root(self._prefix), values=False)

        if is_rewound(before, Snapshot(listing.revision, {}, {}, cluster=listing.cluster)):
            return frozenset({Written(f"cluster {listing.cluster:x}", listing.revision)})
        return differences(self._prefix, self._latest() or before, listing)


def _pause_s() -> float:
    return EVERY_S * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret


def differences(prefix: str, watched: Snapshot, listing: Listing) -> frozenset[Written]:
    """Return what only one of both has.

    Some of it is on its way, and is no difference a moment later.
    """
    known = {Written(key, record.modified) for key, record in watched.records.items()}
    for host, owner in watched.owners.items():
        known.add(Written(key_of(prefix, OwnerKey(host)), owner.modified))
    for service, claim in watched.claims.items():
        known.add(Written(key_of(prefix, PortKey(service)), claim.modified))
    for key, held in watched.holds.items():
        known.add(Written(key_of(prefix, key), held.modified))

    for override_key, standing in watched.overrides.items():
        known.add(Written(key_of(prefix, override_key), standing.modified))

    # These are followed, but not by revision.
    skipped = set(watched.refused)
    skipped |= {key_of(prefix, PurgeKey(host)) for host in watched.purged}
    skipped |= {key_of(prefix, DrainedKey(host)) for host in watched.drained}
    skipped |= {key_of(prefix, HostPortsKey(host)) for host in watched.host_ports}

    listed = {
        Written(entry.key, entry.mod_revision)
        for entry in listing.entries
        if entry.key not in skipped and not is_of_people(prefix, entry.key)
    }
    return frozenset(known ^ listed)
