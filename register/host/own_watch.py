"""Notice at once when somebody else deletes or overwrites keys of this host.

Wakes the actors that read and write those keys; does neither itself.
"""

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
from register.records.host_state import HostState
from sidecar.actors import Actor
from sidecar.retry import keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)


class Recheck(Protocol):
    """Makes the lease keeper read the owner key; `changed`: an event shows that it changed."""

    def __call__(self, *, changed: bool = False) -> None: ...


class OwnWatch:
    """Follows the keys of one host from the moment it first holds the host lease.

    `on_change` gets the revision of each change of the host's instances. Our own writes are among
    them: the writer knows their revisions. Infinity stands for all that may have happened while
    nobody watched. `wake` follows. Whoever makes the host known fires `awake`.
    """

    def __init__(
        self,
        access: Access,
        prefix: str,
        state: HostState,
        awake: Trigger,
        *,
        on_change: Callable[[float], None],
        wake: Callable[[], None],
        recheck_owner: Recheck,
        cap_s: float,
    ) -> None:
        self._prefix = prefix
        self._cap_s = cap_s
        self._state = state
        self._on_change = on_change
        self._wake = wake
        self._recheck_owner = recheck_owner
        self._etcd = Session(access)
        self._awake = awake

    def actor(self) -> Actor:
        """Return the actor that watches."""
        return Actor("own watch", self.run, self.interrupt)

    def run(self) -> None:
        """Watch until interrupted. Without etcd, only the comparison at RESYNC finds a change."""
        while not self._etcd.ended.is_set() and self._state.host is None:
            self._awake.wait()

        keep_running(
            self._session,
            name="watch of this host's keys",
            stop=self._etcd.ended,
            cap_s=self._cap_s,
        )

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()
        self._awake.fire("stop")

    def _session(self) -> None:
        with self._etcd.store() as store:
            try:
                while not self._etcd.ended.is_set() and (host := self._state.host):
                    self._follow(store, host.id)
            except Compacted:
                log.info(
                    "the watch of this host's keys fell behind etcd's compaction, restarting it"
                )

    def _follow(self, store: Store, host: str) -> None:
        owner_key = key_of(self._prefix, OwnerKey(host))
        listing = store.list(owner_key)
        watch = store.watch(host_root(self._prefix, host), listing.revision)

        found = {entry.key: entry.mod_revision for entry in listing.entries}
        lease = self._state.lease
        if lease is not None and found.get(owner_key) != lease.revision:
            self._recheck_owner()
        self._on_change(math.inf)
        self._wake()

        for batch in watch:
            self._report(batch, host)

    def _report(self, batch: Batch, host: str) -> None:
        instances = instances_root(self._prefix, host)
        changed = {event.revision for event in batch.events if event.key.startswith(instances)}
        for revision in sorted(changed):
            self._on_change(revision)

        if self._has_new_owner(batch, host):
            # A write would fail on its fence: the publisher wakes when the host lease is back.
            self._recheck_owner(changed=True)
        else:
            self._wake()

    def _has_new_owner(self, batch: Batch, host: str) -> bool:
        owner_keys = {key_of(self._prefix, kind(host)) for kind in (OwnerKey, DrainedKey)}
        # The event of our own put may come before its reply: then the keeper looks in vain, once.
        lease = self._state.lease
        ours = lease.revision if lease else 0
        return any(event.key in owner_keys and event.revision > ours for event in batch.events)
