"""Notice at once when somebody else deletes or overwrites keys of this host. Wakes; neither reads them nor writes."""

import logging
import math
from collections.abc import Callable
from typing import Protocol

from catalog.access import Access
from catalog.entries import Batch
from catalog.errors import Compacted
from catalog.keys import DrainedKey, OwnerKey, host_root, instances_root, key_of
from catalog.session import Session
from catalog.store import Store
from register.records.standing import Standing
from sidecar.actors import Actor
from sidecar.retry import keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)


class Look(Protocol):
    """Makes the lease keeper look at the owner key. `seen`: it was seen to change, not only found different."""

    def __call__(self, *, seen: bool = False) -> None: ...


class OwnWatch:
    """Follows the keys of one host from its first claim on.

    `changed` hears the revision of each change of its instances, also of our own: whoever wrote knows which are;
    infinity stands for all that may have happened while nobody watched. `wake` follows it.
    """

    def __init__(
        self,
        access: Access,
        prefix: str,
        standing: Standing,
        *,
        changed: Callable[[float], None],
        wake: Callable[[], None],
        look: Look,
        cap_s: float,
    ) -> None:
        self._prefix, self._standing, self._cap_s = prefix, standing, cap_s
        self._changed, self._wake, self._look = changed, wake, look
        self._etcd, self._awake = Session(access), Trigger()

    def actor(self) -> Actor:
        """Return the actor that watches."""
        return Actor("own watch", self.run, self.interrupt)

    def claimed(self) -> None:
        """Begin, as it is known whose keys these are."""
        self._awake.fire("claimed")

    def run(self) -> None:
        """Watch until interrupted. Without etcd nothing is told, and the comparison at RESYNC remains."""
        while not self._etcd.ended.is_set() and self._standing.host is None:
            self._awake.wait()
        keep_running(
            self._session, name="watch of the own keys", stop=self._etcd.ended, cap_s=self._cap_s
        )

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()
        self._awake.fire("stop")

    def _session(self) -> None:
        with self._etcd.store() as store:
            try:
                while not self._etcd.ended.is_set() and (host := self._standing.host):
                    self._follow(store, host.id)
            except Compacted:
                log.info("etcd compacted its history past the watch of the own keys, watching anew")

    def _follow(self, store: Store, host: str) -> None:
        owner = key_of(self._prefix, OwnerKey(host))
        listing = store.list(owner)
        watch = store.watch(host_root(self._prefix, host), listing.revision)
        found = {entry.key: entry.mod_revision for entry in listing.entries}
        claim = self._standing.claim
        if claim is not None and found.get(owner) != claim.revision:
            self._look()
        self._changed(math.inf)
        self._wake()
        for batch in watch:
            self._hear(batch, host)

    def _hear(self, batch: Batch, host: str) -> None:
        root, claim = instances_root(self._prefix, host), self._standing.claim
        claiming = {key_of(self._prefix, kind(host)) for kind in (OwnerKey, DrainedKey)}
        ours = (
            claim.revision if claim else 0
        )  # a claim's event may come before its reply: then one look too many
        for revision in sorted(
            {event.revision for event in batch.events if event.key.startswith(root)}
        ):
            self._changed(revision)
        if any(event.key in claiming and event.revision > ours for event in batch.events):
            self._look(
                seen=True
            )  # a write would fail on its fence: the publisher hears of the next claim
        else:
            self._wake()
