"""What stands in etcd for this host, as last read or written; unknown after any failure. Decides nothing."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from catalog.entries import Entry, Fence
from catalog.errors import Rejected
from catalog.record import Instance, decode
from catalog.store import Store
from register.records.changes import Change, applied
from register.records.standing import Claim

log = logging.getLogger(__name__)


class OwnKeys:
    """The instance keys of one host."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.entries: Mapping[str, Entry] | None = (
            None  # None: not known, read them before the next write
        )
        self._read_at = 0  # the revision of the last list
        self._written: set[int] = set()  # the revisions of our own writes since
        self._changed: deque[float] = deque()  # revisions of changes, as watched; not judged yet
        self._doubtful = False

    def known(self, root: str) -> Mapping[str, Entry]:
        """Return all entries below `root`, read if they are not known. Raises Unavailable."""
        if self.entries is None:
            self._doubtful = False
            listing = self._store.list(root)
            self._read_at, self._written = listing.revision, set()
            self.entries = {entry.key: entry for entry in listing.entries}
        return self.entries

    def changed(self, revision: float) -> None:
        """Hear that some of them changed at a revision, whoever did it. From any thread."""
        self._changed.append(revision)

    def are_doubtful(self) -> bool:
        """Whether somebody else has changed what is known. A write's event may come before its reply: ask after it."""
        while self._changed:
            revision = self._changed.popleft()
            if revision > self._read_at and revision not in self._written:
                self._doubtful = True
        return self._doubtful and self.entries is not None

    def forget(self) -> None:
        """Count what stands there as unknown."""
        self.entries = None

    def write(self, batch: tuple[Change, ...], claim: Claim) -> None:
        """Make the changes in one transaction. Raises Unavailable or Conflict, and then nothing is known any more."""
        before = self.entries or {}
        self.entries = None
        revision = self._store.write(
            batch, lease=claim.lease, fence=Fence(claim.owner_key, claim.revision)
        )
        self._written.add(revision)
        self.entries = applied(before, batch, revision, claim.lease)

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
            log.debug("own record unreadable, it will be replaced key=%s why=%s", entry.key, error)
    return MappingProxyType(instances)
