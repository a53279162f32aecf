"""Every instance at one revision of etcd. No I/O: a listing makes one, each watched batch makes the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.entries import Batch, Entry, Listing
from catalog.errors import Rejected
from catalog.keys import InstanceKey, identity, parse_key
from catalog.record import Instance, decode


@dataclass(frozen=True, slots=True)
class Record:
    """One good record: who it is, what it says, and the revision that created its key, which is its age."""

    key: InstanceKey
    instance: Instance
    created: int

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where it is dialled."""
        return self.instance.address, self.instance.port


@dataclass(frozen=True, slots=True)
class Service:
    """All records of one service by etcd key, and what of them matters to other services. Made anew at a change."""

    records: Mapping[str, Record]
    ports: Mapping[int, int]  # each service port, and the revision at which it was first named
    portless: tuple[str, ...]  # keys of records that name no service port
    endpoints: frozenset[tuple[str, int]]
    names: frozenset[str]  # of its servers; fewer than records if two hosts announce one container

    @staticmethod
    def of(records: Mapping[str, Record]) -> "Service":
        """Return the service with these records."""
        ports: dict[int, int] = {}
        for record in records.values():
            if (port := record.instance.service_port) is not None:
                ports[port] = min(record.created, ports.get(port, record.created))
        portless = tuple(key for key, record in records.items() if record.instance.service_port is None)
        endpoints = frozenset(record.endpoint for record in records.values())
        return Service(records, ports, portless, endpoints, frozenset(r.key.name for r in records.values()))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All services at `revision`, and the reason for each key that could not be read as a record."""

    revision: int
    services: Mapping[str, Service]
    refused: Mapping[str, str]

    @property
    def records(self) -> Mapping[str, Record]:
        """Every record by its etcd key."""
        return {key: record for service in self.services.values() for key, record in service.records.items()}

    def same_as(self, other: "Snapshot | None") -> bool:
        """Whether both say the same, at whichever revision."""
        return other is not None and self.services == other.services and self.refused == other.refused


EMPTY = Snapshot(0, {}, {})


def snapshot_of(prefix: str, listing: Listing) -> Snapshot:
    """Return the snapshot that a listing shows."""
    return _changed(prefix, EMPTY, listing.revision, ((entry.key, entry) for entry in listing.entries))


def apply(prefix: str, snapshot: Snapshot, batch: Batch) -> Snapshot:
    """Return the snapshot after a batch. Events of revisions that are already in it change nothing."""
    news = ((event.key, event.entry) for event in batch.events if event.revision > snapshot.revision)
    return _changed(prefix, snapshot, max(batch.revision, snapshot.revision), news)


def _changed(prefix: str, before: Snapshot, revision: int, news: Iterable[tuple[str, Entry | None]]) -> Snapshot:
    """Return a snapshot with some keys put or deleted; services that they do not touch are the same objects."""
    refused = dict(before.refused)
    touched: dict[str, dict[str, Record]] = {}
    for key, entry in news:
        refused.pop(key, None)
        try:
            name = parse_key(prefix, key)
            if not isinstance(name, InstanceKey):
                continue
            records = touched.setdefault(name.service, dict(_records(before, name.service)))
            records.pop(key, None)
            if entry is not None:
                records[key] = _record(name, entry)
        except Rejected as error:
            if entry is not None:
                refused[key] = str(error)
    changed = {service: Service.of(records) for service, records in touched.items() if records}
    kept = {service: it for service, it in before.services.items() if service not in touched}
    return Snapshot(revision, kept | changed, refused)


def _records(snapshot: Snapshot, service: str) -> Mapping[str, Record]:
    return snapshot.services[service].records if service in snapshot.services else {}


def _record(key: InstanceKey, entry: Entry) -> Record:
    instance = decode(entry.value)
    if identity(key.host, instance) != key:
        seen = f"{instance.service} {instance.container[:12]}:{instance.container_port}"
        raise Rejected(f"record says {seen}, unlike its key")
    return Record(key, instance, entry.create_revision)
