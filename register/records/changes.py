"""What has to be written so that etcd holds what is desired. No I/O.

The same containers give no changes: a record is written only when its bytes or its lease differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from catalog.entries import Delete, Entry, Put

BATCH = (
    100  # changes in one transaction: etcd takes 128 operations (--max-txn-ops), its fence included
)

Change = Put | Delete


@dataclass(frozen=True, slots=True)
class Changes:
    """Puts and deletes, each sorted by key, each with the revision it expects to replace."""

    puts: tuple[Put, ...] = ()
    deletes: tuple[Delete, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.puts or self.deletes)


def diff(published: Mapping[str, Entry], desired: Mapping[str, bytes], lease: int) -> Changes:
    """Return what turns `published` into `desired`, all of it under one lease."""
    puts = tuple(
        Put(key, value, _revision(published.get(key)))
        for key, value in sorted(desired.items())
        if not _stands(published.get(key), value, lease)
    )
    deletes = tuple(
        Delete(key, entry.mod_revision)
        for key, entry in sorted(published.items())
        if key not in desired
    )
    return Changes(puts, deletes)


def _revision(entry: Entry | None) -> int:
    return entry.mod_revision if entry else 0


def _stands(entry: Entry | None, value: bytes, lease: int) -> bool:
    return entry is not None and entry.value == value and entry.lease == lease


def batches(changes: Changes) -> tuple[tuple[Change, ...], ...]:
    """Return the changes as transactions: one container's together, and those that free an address first.

    Docker gives a freed host port to the next container: its old record must not outlive the new one.
    """
    every: list[Change] = [*changes.deletes, *changes.puts]
    every.sort(key=_container)
    groups = [tuple(group) for _, group in groupby(every, key=_container)]
    groups.sort(key=lambda group: not any(isinstance(change, Delete) for change in group))
    return tuple(_packed(groups))


def _container(change: Change) -> str:
    return change.key.rpartition("/")[2].partition(":")[0]


def _packed(groups: Iterable[tuple[Change, ...]]) -> Iterable[tuple[Change, ...]]:
    batch: tuple[Change, ...] = ()
    for group in groups:
        if batch and len(batch) + len(group) > BATCH:
            yield batch
            batch = ()
        batch += group
        while len(batch) > BATCH:  # one container with more ports than a transaction takes
            yield batch[:BATCH]
            batch = batch[BATCH:]
    if batch:
        yield batch


def applied(
    published: Mapping[str, Entry], batch: Iterable[Change], revision: int, lease: int
) -> dict[str, Entry]:
    """Return what is published after a transaction that went through."""
    after = dict(published)
    for change in batch:
        before = after.pop(change.key, None)
        if isinstance(change, Put):
            created = before.create_revision if before else revision
            after[change.key] = Entry(change.key, change.value, created, revision, lease)
    return after
