"""Write the difference between what etcd holds for this host and what it shall hold."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from catalog.entries import Entry
from catalog.errors import Conflict, Full, Unavailable
from register.ready.readiness import Desired
from register.records.changes import Change, Changes, batches, diff
from register.records.host_state import HostLease, HostState
from register.records.own_keys import OwnKeys
from register.report import Report
from register.schedule import Schedule
from sidecar.bucket import Bucket, Rate
from sidecar.retry import jitter

# An etcd without space is asked to take a put at most so often; somebody has to make room.
FULL_S = 10.0
# How fast one registrar writes, in transactions, so that a hundred of them do not bury etcd. One
# settles a burst of events and holds up to 100 changes, so this delays only a host gone mad.
WRITES = Rate(10.0, 20)
# After the lease was lost everything has to be put again, most likely by every host at the same
# time: a hundred hosts of two transactions each stay below a hundred writes a second, even if none
# has waited at random before.
WRITES_AFTER_LOSS = Rate(1.0, 1)


class Writer:
    """Writes in small transactions, not faster than etcd can take from all hosts together.

    `on_conflict` is called when a write did not go through: the host may have another owner.
    """

    def __init__(
        self,
        own_keys: OwnKeys,
        state: HostState,
        schedule: Schedule,
        report: Report,
        on_conflict: Callable[[], None],
    ) -> None:
        self._own_keys = own_keys
        self._state = state
        self._schedule = schedule
        self._report = report
        self._on_conflict = on_conflict
        self._writes = Bucket(WRITES)
        self._writes_after_loss = Bucket(WRITES_AFTER_LOSS)
        self._full_until_s = 0.0  # etcd takes no put before

    def write(
        self,
        lease: HostLease,
        entries: Mapping[str, Entry],
        records: Mapping[str, bytes],
        held: frozenset[str],
        wanted: Desired,
    ) -> None:
        """Turn `entries` into `records`, but delete no held key.

        What has to wait is left to a later round. Raises Unavailable.
        """
        changes = diff(entries, records, lease.id)
        deletes = tuple(change for change in changes.deletes if change.key not in held)
        changes = self._possible(replace(changes, deletes=deletes))

        bucket = self._bucket(lease)
        for batch in batches(changes):
            if wait_s := bucket.wait_s(time.monotonic()):
                self._schedule.no_later_than(time.monotonic() + wait_s)
                return
            bucket.spend(time.monotonic())
            self._write_batch(batch, lease)
            self._report.wrote(batch, entries, wanted)

        if not self._full_until_s:
            self._report.published(self._own_keys.entries or {})
            self._state.published_under = lease

    def _possible(self, changes: Changes) -> Changes:
        """Leave the puts out while etcd is full."""
        if time.monotonic() < self._full_until_s:
            self._schedule.no_later_than(self._full_until_s)
            return replace(changes, puts=())

        self._full_until_s = 0.0
        return changes

    def _bucket(self, lease: HostLease) -> Bucket:
        is_moving = self._state.published_under != lease
        return self._writes_after_loss if lease.replaces_lost and is_moving else self._writes

    def _write_batch(self, batch: tuple[Change, ...], lease: HostLease) -> None:
        try:
            self._own_keys.write(batch, lease)
        except (Unavailable, Conflict) as error:
            self._report.not_written(str(error))
            if isinstance(error, Full):
                self._full_until_s = time.monotonic() + FULL_S + jitter(FULL_S / 2)
            else:
                self._on_conflict()
            raise Unavailable(str(error)) from error
