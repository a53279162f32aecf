"""Every instance at one revision of etcd. No I/O: a listing makes one, each watched batch makes the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.entries import Batch, Entry, Listing
from catalog.errors import Rejected
from catalog.keys import InstanceKey, OwnerKey, PortKey, identity, parse_key
from catalog.record import Instance, decode


@dataclass(frozen=True, slots=True)
class Record:
    """One good record: who it is, what it says, and the revision that created its key, which is its age."""

    key: InstanceKey
    instance: Instance
    created: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All records at `revision`, by etcd key, and the reason for each key that could not be read as one."""

    revision: int
    records: Mapping[str, Record]
    refused: Mapping[str, str]

    def same_as(self, other: "Snapshot | None") -> bool:
        """Whether both say the same, at whichever revision."""
        return other is not None and self.records == other.records and self.refused == other.refused


EMPTY = Snapshot(0, {}, {})


def snapshot_of(prefix: str, listing: Listing) -> Snapshot:
    """Return the snapshot that a listing shows."""
    return _changed(prefix, EMPTY, listing.revision, ((entry.key, entry) for entry in listing.entries))


def apply(prefix: str, snapshot: Snapshot, batch: Batch) -> Snapshot:
    """Return the snapshot after a batch. Events of revisions that are already in it change nothing."""
    news = ((event.key, event.entry) for event in batch.events if event.revision > snapshot.revision)
    return _changed(prefix, snapshot, max(batch.revision, snapshot.revision), news)


def _changed(prefix: str, before: Snapshot, revision: int, news: Iterable[tuple[str, Entry | None]]) -> Snapshot:
    records, refused = dict(before.records), dict(before.refused)
    for key, entry in news:
        records.pop(key, None)
        refused.pop(key, None)
        if entry is None:
            continue
        try:
            record = _record(prefix, entry)
        except Rejected as error:
            refused[key] = str(error)
        else:
            if record is not None:
                records[key] = record
    return Snapshot(revision, records, refused)


def _record(prefix: str, entry: Entry) -> Record | None:
    """Return the record in an entry; None for a key that is ours but no instance."""
    match parse_key(prefix, entry.key):
        case OwnerKey() | PortKey():
            return None
        case InstanceKey() as key:
            instance = decode(entry.value)
    if identity(key.host, instance) != key:
        raise Rejected(
            f"record says {instance.service} {instance.container[:12]}:{instance.container_port}, unlike its key"
        )
    return Record(key, instance, entry.create_revision)
