"""What has to be written so that etcd holds what is desired. No I/O.

The same containers give no changes: a record is written only when its bytes or its lease differ.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from catalog.entries import Delete, Entry, Put

# Changes in one transaction: etcd takes 128 operations (--max-txn-ops), its fence included.
BATCH = 100

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
    puts: list[Put] = []
    for key, value in sorted(desired.items()):
        entry = published.get(key)
        if entry is None:
            puts.append(Put(key, value, expected=0))
        elif entry.value != value or entry.lease != lease:
            puts.append(Put(key, value, expected=entry.mod_revision))

    undesired = sorted(published.keys() - desired.keys())
    deletes = [Delete(key, published[key].mod_revision) for key in undesired]
    return Changes(tuple(puts), tuple(deletes))


def batches(changes: Changes) -> tuple[tuple[Change, ...], ...]:
    """Return the changes as transactions.

    The changes of one container stay together, and those that free an address come first: Docker
    gives a freed host port to the next container, whose record must not meet the old one.
    """
    all_changes: list[Change] = [*changes.deletes, *changes.puts]
    all_changes.sort(key=_container)
    groups = [tuple(group) for _, group in groupby(all_changes, key=_container)]

    groups.sort(key=_deletes_nothing)
    return tuple(_packed(groups))


def _container(change: Change) -> str:
    return change.key.rpartition("/")[2].partition(":")[0]


def _deletes_nothing(group: Iterable[Change]) -> bool:
    return not any(isinstance(change, Delete) for change in group)


def _packed(groups: Iterable[tuple[Change, ...]]) -> Iterator[tuple[Change, ...]]:
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
