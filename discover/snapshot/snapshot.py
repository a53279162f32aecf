"""All instances at one revision of etcd: a listing makes it, a watched batch the next. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.entries import Batch, Entry, Listing
from catalog.errors import Rejected
from catalog.keys import (
    DrainedKey,
    HoldKey,
    HostPortsKey,
    InstanceKey,
    OverrideKey,
    OwnerKey,
    PortKey,
    PurgeKey,
    asks_root,
    identity,
    parse_key,
)
from catalog.overrides.standing import Standings, standing_of
from catalog.records.host_ports import HostPort
from catalog.records.host_ports import decode as host_ports_of
from catalog.records.port_claim import decode as port_of
from catalog.records.record import Instance, decode
from discover.snapshot.belongs import Claim, Held, Holds, Owner, held_of, owner_of


@dataclass(frozen=True, slots=True)
class Record:
    """One good record: its key, what it says, and the revision that created the key, its age.

    A record under no lease was put by hand: it never expires, so only a delete takes it away.
    """

    key: InstanceKey
    instance: Instance
    created: int
    leased: bool = True
    # For the audit: the same record written again is no change.
    modified: int = field(default=0, compare=False)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where it is dialled."""
        return self.instance.address, self.instance.port


@dataclass(frozen=True, slots=True)
class Service:
    """All records of one service by etcd key, and what of them matters to other services.

    It is made anew at a change.
    """

    records: Mapping[str, Record]
    ports: Mapping[int, int]  # each service port, and the revision at which it was first named
    portless: tuple[str, ...]  # keys of records that name no service port
    endpoints: frozenset[tuple[str, int]]
    names: frozenset[str]  # of its servers; fewer than records if two hosts announce one container
    origins: frozenset[str]  # by what records got the service's name without being told it

    @staticmethod
    def of(records: Mapping[str, Record]) -> "Service":
        """Return the service with these records."""
        ports: dict[int, int] = {}
        portless = []
        for key, record in records.items():
            port = record.instance.service_port
            if port is None:
                portless.append(key)
            else:
                ports[port] = min(record.created, ports.get(port, record.created))

        return Service(
            records,
            ports,
            tuple(portless),
            endpoints=frozenset(record.endpoint for record in records.values()),
            names=frozenset(record.key.name for record in records.values()),
            origins=frozenset(
                record.instance.origin for record in records.values() if record.instance.origin
            ),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All services at `revision`, and the reason for each key that could not be read as a record.

    `owners` are the hosts whose registrar's lease lives. Nothing of a `purged` host is called. A
    `drained` host was taken out of service: what it lacks was meant to go. `claims` are by
    service, also of services that are away. `holds` say to whom ports, host names and default
    names belong. `overrides` are what people change of services for a while.
    """

    revision: int
    services: Mapping[str, Service]
    refused: Mapping[str, str]
    owners: Mapping[str, Owner] = field(default_factory=dict)
    purged: frozenset[str] = frozenset()
    cluster: int = 0
    drained: frozenset[str] = frozenset()
    claims: Mapping[str, Claim] = field(default_factory=dict)
    holds: Holds = field(default_factory=dict)
    # By host: the ports that its containers have or want.
    host_ports: Mapping[str, tuple[HostPort, ...]] = field(default_factory=dict)
    overrides: Standings = field(default_factory=dict)
    # The other host that wrote the file that this was read from.
    written_by: str = field(default="", compare=False)

    @property
    def records(self) -> Mapping[str, Record]:
        """Every record by its etcd key."""
        records: dict[str, Record] = {}
        for service in self.services.values():
            records.update(service.records)
        return records

    def record(self, key: InstanceKey, text: str) -> Record | None:
        """Return the record under an etcd key, which is given parsed and as text."""
        service = self.services.get(key.service)
        return service.records.get(text) if service is not None else None

    def same_as(self, other: "Snapshot | None") -> bool:
        """Whether both say the same, at whichever revision."""
        return other is not None and self._content() == other._content()

    def _content(self) -> tuple[object, ...]:
        hosts = self.owners, self.purged, self.drained
        belongs = self.claims, self.holds, self.host_ports
        return self.services, self.refused, *hosts, *belongs, self.overrides


EMPTY = Snapshot(0, {}, {})


def snapshot_of(prefix: str, listing: Listing) -> Snapshot:
    """Return the snapshot that a listing shows."""
    nothing = Snapshot(0, {}, {}, cluster=listing.cluster)
    puts = ((entry.key, entry) for entry in listing.entries)
    return _changed(prefix, nothing, listing.revision, puts)


def apply(prefix: str, snapshot: Snapshot, batch: Batch) -> Snapshot:
    """Return the snapshot after a batch. Events of revisions that it already has change nothing."""
    changes = (
        (event.key, event.entry) for event in batch.events if event.revision > snapshot.revision
    )
    return _changed(prefix, snapshot, max(batch.revision, snapshot.revision), changes)


def _changed(
    prefix: str, before: Snapshot, revision: int, changes: Iterable[tuple[str, Entry | None]]
) -> Snapshot:
    """Return a snapshot with some keys put or, for None, deleted.

    Services that no change touches stay the same objects.
    """
    changing = _Changing(before)
    asks = asks_root(prefix)
    for key, entry in changes:
        if key.startswith(asks):
            continue  # whatever anybody asks is no part of the catalog, nor kept

        changing.refused.pop(key, None)
        try:
            changing.take(prefix, key, entry)
        except Rejected as error:
            if entry is not None:
                changing.refused[key] = str(error)

    return changing.snapshot(revision)


class _Changing:
    """What a snapshot becomes, while changes are taken."""

    def __init__(self, before: Snapshot) -> None:
        self.refused = dict(before.refused)
        self._before = before
        self._touched: dict[str, dict[str, Record]] = {}  # records by key, of changed services
        self._owners = dict(before.owners)
        self._purged = set(before.purged)
        self._drained = set(before.drained)
        self._claims = dict(before.claims)
        self._held: dict[HoldKey, Held | None] = {}  # what changed of the holds
        self._host_ports = dict(before.host_ports)
        self._overrides = dict(before.overrides)

    def take(self, prefix: str, text: str, entry: Entry | None) -> None:
        """Take the change of one key. Raises Rejected."""
        key = parse_key(prefix, text)
        match key:
            case InstanceKey():
                self._take_instance(key, text, entry)
            case OwnerKey(host) if entry is None:
                self._owners.pop(host, None)
            case OwnerKey(host) if entry is not None:
                self._owners[host] = owner_of(entry)
            case PurgeKey(host):
                _mark(self._purged, host, entry)
            case DrainedKey(host):
                _mark(self._drained, host, entry)
            case PortKey(service):
                self._take_claim(service, entry)
            case HoldKey():
                self._take_hold(key, entry)
            case HostPortsKey(host):
                self._take_host_ports(host, entry)
            case OverrideKey():
                self._take_override(key, entry)

    def _take_instance(self, key: InstanceKey, text: str, entry: Entry | None) -> None:
        records = self._touched.get(key.service)
        if records is None:
            service = self._before.services.get(key.service)
            records = self._touched[key.service] = dict(service.records) if service else {}

        records.pop(text, None)
        if entry is not None:
            records[text] = _record(key, entry)

    def _take_claim(self, service: str, entry: Entry | None) -> None:
        # Also where the new value cannot be read.
        self._claims.pop(service, None)
        if entry is not None:
            port = port_of(entry.value)
            self._claims[service] = Claim(port, entry.create_revision, entry.mod_revision)

    def _take_hold(self, key: HoldKey, entry: Entry | None) -> None:
        # Also where the new value cannot be read.
        self._held[key] = None
        if entry is not None:
            self._held[key] = held_of(key, entry)

    def _holds(self) -> Holds:
        if not self._held:
            return self._before.holds

        changed = {**self._before.holds, **self._held}
        return {key: held for key, held in changed.items() if held is not None}

    def _take_host_ports(self, host: str, entry: Entry | None) -> None:
        # What cannot be read says nothing: the ports stay as they were.
        if entry is None:
            self._host_ports.pop(host, None)
        else:
            self._host_ports[host] = host_ports_of(entry.value)

    def _take_override(self, key: OverrideKey, entry: Entry | None) -> None:
        self._overrides.pop(key, None)
        if entry is not None:
            self._overrides[key] = standing_of(key, entry)

    def snapshot(self, revision: int) -> Snapshot:
        """Return what has become of it."""
        services = dict(self._before.services)
        for name, records in self._touched.items():
            services.pop(name, None)
            if records:
                services[name] = Service.of(records)

        return Snapshot(
            revision,
            services,
            self.refused,
            self._owners,
            frozenset(self._purged),
            self._before.cluster,
            frozenset(self._drained),
            self._claims,
            self._holds(),
            self._host_ports,
            self._overrides,
        )


def _mark(hosts: set[str], host: str, entry: Entry | None) -> None:
    if entry is None:
        hosts.discard(host)
    else:
        hosts.add(host)


def _record(key: InstanceKey, entry: Entry) -> Record:
    instance = decode(entry.value)
    if identity(key.host, instance) != key:
        seen = f"{instance.service} {instance.container[:12]}:{instance.container_port}"
        raise Rejected(f"record names {seen}, unlike its key")
    return Record(key, instance, entry.create_revision, entry.lease != 0, entry.mod_revision)
