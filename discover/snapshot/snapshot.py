"""Every instance at one revision of etcd. No I/O: a listing makes one, each watched batch makes the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.entries import Batch, Entry, Listing
from catalog.errors import Rejected
from catalog.keys import DrainedKey, InstanceKey, OwnerKey, PortKey, PurgeKey, identity, parse_key
from catalog.port_claim import decode as port_of
from catalog.record import Instance, decode


@dataclass(frozen=True, slots=True)
class Record:
    """One good record: who it is, what it says, and the revision that created its key, which is its age.

    One under no lease was put by hand: it never expires, so only a delete takes it away.
    """

    key: InstanceKey
    instance: Instance
    created: int
    leased: bool = True
    modified: int = field(
        default=0, compare=False
    )  # for the audit: written again the same is no change

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where it is dialled."""
        return self.instance.address, self.instance.port


@dataclass(frozen=True, slots=True)
class Owner:
    """A host's owner key: created anew when the host comes back from an expiry, only modified by a takeover.

    A store that was wiped and written again may come to the same revision, and even to the same cluster id, which etcd
    makes of its members' names and addresses; but never to the same lease.
    """

    created: int
    lease: int = 0
    modified: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """The port that a service has for good, and the revision that created its key, which is its age."""

    port: int
    created: int
    modified: int = field(default=0, compare=False)


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
        portless = tuple(
            key for key, record in records.items() if record.instance.service_port is None
        )
        endpoints = frozenset(record.endpoint for record in records.values())
        return Service(
            records, ports, portless, endpoints, frozenset(r.key.name for r in records.values())
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All services at `revision`, and the reason for each key that could not be read as a record.

    `owners` are the hosts whose registrar's lease lives; of `purged` ones nothing is to be called; `drained` ones were
    taken out of service, so that what they lack was meant to go. `claims` are by service, whether that is there or not.
    """

    revision: int
    services: Mapping[str, Service]
    refused: Mapping[str, str]
    owners: Mapping[str, Owner] = field(default_factory=dict)
    purged: frozenset[str] = frozenset()
    cluster: int = 0
    drained: frozenset[str] = frozenset()
    claims: Mapping[str, Claim] = field(default_factory=dict)
    # The other host that wrote the file that this was read from.
    written_by: str = field(default="", compare=False)

    @property
    def records(self) -> Mapping[str, Record]:
        """Every record by its etcd key."""
        return {
            key: record
            for service in self.services.values()
            for key, record in service.records.items()
        }

    def record(self, key: InstanceKey, text: str) -> Record | None:
        """Return the record under an etcd key, which is given parsed too."""
        return (
            self.services[key.service].records.get(text) if key.service in self.services else None
        )

    def same_as(self, other: "Snapshot | None") -> bool:
        """Whether both say the same, at whichever revision."""
        return other is not None and self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        return self.services, self.refused, self.owners, self.purged, self.drained, self.claims


EMPTY = Snapshot(0, {}, {})


def snapshot_of(prefix: str, listing: Listing) -> Snapshot:
    """Return the snapshot that a listing shows."""
    nothing = Snapshot(0, {}, {}, cluster=listing.cluster)
    return _changed(
        prefix, nothing, listing.revision, ((entry.key, entry) for entry in listing.entries)
    )


def apply(prefix: str, snapshot: Snapshot, batch: Batch) -> Snapshot:
    """Return the snapshot after a batch. Events of revisions that are already in it change nothing."""
    news = (
        (event.key, event.entry) for event in batch.events if event.revision > snapshot.revision
    )
    return _changed(prefix, snapshot, max(batch.revision, snapshot.revision), news)


def _changed(
    prefix: str, before: Snapshot, revision: int, news: Iterable[tuple[str, Entry | None]]
) -> Snapshot:
    """Return a snapshot with some keys put or deleted; services that they do not touch are the same objects."""
    refused = dict(before.refused)
    marks = _Marks(
        dict(before.owners), set(before.purged), set(before.drained), dict(before.claims)
    )
    touched: dict[str, dict[str, Record]] = {}
    for key, entry in news:
        refused.pop(key, None)
        try:
            name = parse_key(prefix, key)
            if not isinstance(name, InstanceKey):
                marks.learn(name, entry)
                continue
            records = touched.setdefault(name.service, dict(_records(before, name.service)))
            records.pop(key, None)
            if entry is not None:
                records[key] = _record(name, entry)
        except Rejected as error:
            if entry is not None:
                refused[key] = str(error)
    services = dict(before.services)
    for service, records in touched.items():
        services.pop(service, None)
        if records:
            services[service] = Service.of(records)
    return Snapshot(
        revision,
        services,
        refused,
        marks.owners,
        frozenset(marks.purged),
        before.cluster,
        frozenset(marks.drained),
        marks.claims,
    )


@dataclass(slots=True)
class _Marks:
    """What is said about whole hosts and of services' ports, while a snapshot is made."""

    owners: dict[str, Owner]
    purged: set[str]
    drained: set[str]
    claims: dict[str, Claim]

    def learn(self, name: object, entry: Entry | None) -> None:
        match name:
            case OwnerKey(host) if entry is None:
                self.owners.pop(host, None)
            case OwnerKey(host) if entry is not None:
                self.owners[host] = Owner(entry.create_revision, entry.lease, entry.mod_revision)
            case PurgeKey(host):
                (self.purged.discard if entry is None else self.purged.add)(host)
            case DrainedKey(host):
                (self.drained.discard if entry is None else self.drained.add)(host)
            case PortKey(service):
                self.claims.pop(service, None)  # also if what stands there now cannot be read
                if entry is not None:
                    self.claims[service] = Claim(
                        port_of(entry.value), entry.create_revision, entry.mod_revision
                    )


def _records(snapshot: Snapshot, service: str) -> Mapping[str, Record]:
    return snapshot.services[service].records if service in snapshot.services else {}


def _record(key: InstanceKey, entry: Entry) -> Record:
    instance = decode(entry.value)
    if identity(key.host, instance) != key:
        seen = f"{instance.service} {instance.container[:12]}:{instance.container_port}"
        raise Rejected(f"record says {seen}, unlike its key")
    return Record(key, instance, entry.create_revision, entry.lease != 0, entry.mod_revision)
