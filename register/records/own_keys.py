"""The host's instance keys in etcd, as last read or written; unknown after any failure."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.records.record import Instance, decode
from catalog.store import Store
from register.records.changes import Change, applied
from register.records.host_state import HostLease

log = logging.getLogger(__name__)


class OwnKeys:
    """The instance keys of one host. `entries` is None while they are not known."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.entries: Mapping[str, Entry] | None = None
        self._read_at = 0  # the revision of the last list
        self._written: set[int] = set()  # the revisions of our own writes since
        self._changes: deque[float] = deque()  # revisions that the watch saw; not judged yet
        self._is_doubtful = False

    def read(self, root: str) -> Mapping[str, Entry]:
        """Return all entries below `root`; asks etcd only if they are not known.

        Raises Unavailable.
        """
        if self.entries is None:
            self._is_doubtful = False
            listing = self._store.list(root)
            self._read_at = listing.revision
            self._written = set()
            self.entries = {entry.key: entry for entry in listing.entries}
        return self.entries

    def note_change(self, revision: float) -> None:
        """Note that some key changed at a revision, whoever changed it. From any thread."""
        self._changes.append(revision)

    def are_doubtful(self) -> bool:
        """Whether somebody else changed a key since it was read.

        The event of our own write may come before its reply, so ask after a write, not during it.
        """
        while self._changes:
            revision = self._changes.popleft()
            if revision > self._read_at and revision not in self._written:
                self._is_doubtful = True
        return self._is_doubtful and self.entries is not None

    def forget(self) -> None:
        """Count the keys as unknown: the next use reads them again."""
        self.entries = None

    def write(self, batch: tuple[Change, ...], lease: HostLease) -> None:
        """Make the changes in one transaction.

        Raises Unavailable or Conflict; the keys are unknown then.
        """
        before = self.entries or {}
        self.entries = None
        revision = self._store.write(batch, lease=lease.id, fence=lease.fence)

        self._written.add(revision)
        self.entries = applied(before, batch, revision, lease.id)

    def close(self) -> None:
        """End whatever call is waiting, from any thread."""
        self._store.close()


def instances_in(entries: Iterable[Entry]) -> Mapping[str, Instance]:
    """Return the instances that can be read, by key."""
    instances = {}
    for entry in entries:
        try:
            instances[entry.key] = decode(entry.value)
        except Rejected as error:
            log.debug("own record unreadable, replacing it key=%s why=%s", entry.key, error)
    return MappingProxyType(instances)
