"""Servers that are no containers: what the services file says, as services of the catalog. No I/O.

Imported only where SERVICES names a file, as it takes yaml with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from catalog.errors import Rejected
from catalog.file_identity import file_container
from catalog.host_port import host_port
from catalog.keys import CONTAINER_SHORT, InstanceKey
from catalog.records.record import Instance
from catalog.values.text_types import SERVICE
from catalog.values.value_types import shown
from catalog.values.vocabulary import record_fields
from discover.model.ownership import OLDEST
from discover.operator.services_words import (
    ENDPOINT,
    SERVER_WORDS,
    SERVICE_WORDS,
    address_of,
    endpoint,
    mapping,
    port_of,
    read,
    refuse,
)
from discover.operator.services_yaml import entries_of
from discover.reasons import because
from discover.snapshot.snapshot import Record, Service, Snapshot
from sidecar.memo import MemoByName
from sidecar.status.problems import Problem

# What names from the file begin with among etcd's keys and in /explain; a key begins with a slash.
FILE_PREFIX = "file:"


@dataclass(frozen=True, slots=True)
class FileServices:
    """The services of a file, and its problems: each entry is refused alone.

    `refused` are the services that such an entry belongs to.
    """

    services: Mapping[str, Service] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()


def file_services(file: str, text: str) -> FileServices:
    """Return the services in the text of `file`. Raises Rejected if it is no services file."""
    reading = _Reading(file)
    for name, entry in entries_of(text).items():
        reading.add(name, entry)

    services = {name: Service.of(records) for name, records in reading.records.items() if records}
    return FileServices(services, reading.problems, frozenset(reading.refused))


def with_last_good(now: FileServices, before: Mapping[str, Service]) -> FileServices:
    """Return services, the refused ones as they were: a typing error takes no server away.

    What did not change is the same object, so that nothing is laid out anew for it.
    """
    services = dict(now.services)
    for name, service in now.services.items():
        if before.get(name) == service:
            services[name] = before[name]

    kept = {name: before[name] for name in now.refused & before.keys()}
    problems = {
        where: _staying(problem) if _service_in(where) in kept else problem
        for where, problem in now.problems.items()
    }
    return replace(now, services={**services, **kept}, problems=problems)


def _service_in(where: str) -> str:
    """Return the service that a problem is about."""
    return where.removeprefix(FILE_PREFIX).partition(" ")[0]


def _staying(problem: Problem) -> Problem:
    return replace(problem, text=f"{problem.text}; until then the service keeps its last good form")


class JoinedSnapshots:
    """Snapshots with a file's services in them; what neither side changed is the same object."""

    def __init__(self) -> None:
        self._joined = MemoByName(_joined)

    def of(self, snapshot: Snapshot, services: Mapping[str, Service]) -> Snapshot:
        """Return a snapshot with these services, beside the containers that they have."""
        in_catalog = snapshot.services.get
        parts = {name: (in_catalog(name), in_file) for name, in_file in services.items()}
        joined = self._joined.get(parts)

        if not joined:
            return snapshot
        return replace(snapshot, services={**snapshot.services, **joined})


def _joined(_: str, parts: tuple[Service | None, Service]) -> Service:
    in_catalog, in_file = parts
    if in_catalog is None:
        return in_file
    return Service.of({**in_catalog.records, **in_file.records})


def services_of(instances: Iterable[Instance]) -> Mapping[str, Service]:
    """Return the services that these instances of a file belong to."""
    records: dict[str, dict[str, Record]] = {}
    for instance in instances:
        record = _record(instance)
        records.setdefault(instance.service, {})[_key(record)] = record

    return {name: Service.of(of_service) for name, of_service in records.items()}


class _Reading:
    """What the entries of a file have given so far."""

    def __init__(self, file: str) -> None:
        self.records: dict[str, dict[str, Record]] = {}
        self.problems: dict[str, Problem] = {}
        self.refused: set[str] = set()
        self._file = file

    def add(self, name: object, entry: object) -> None:
        """Read one service; what is wrong with it becomes its problem."""
        try:
            SERVICE.check("service", name)
            shared = _shared(str(name), entry)
        except Rejected as error:
            self._refuse(name, "", error)
            return

        records = self.records.setdefault(str(name), {})
        for number, server in enumerate(shared.servers, start=1):
            try:
                record = _record(_instance(str(name), shared.fields, server))
                if records.setdefault(_key(record), record) is not record:
                    refuse(f"{record.instance.container_name} is there twice")
            except Rejected as error:
                self._refuse(name, f" server {number}", error)

    def _refuse(self, name: object, server: str, error: Rejected) -> None:
        where = f"{_plain(name)}{server}"
        text = f"{self._file}: {where}: {error}"
        self.problems[FILE_PREFIX + where] = because("OUTSIDE_REFUSED", text)
        if isinstance(name, str):
            self.refused.add(name)


def _plain(name: object) -> str:
    """Return a name as it is, if it can stand in a line."""
    if isinstance(name, str) and name.isprintable() and len(name) <= 80:
        return name
    return shown(name)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What holds for all servers of an entry: fields of their records; and the servers, unread."""

    fields: Mapping[str, Any]
    servers: list[Any]


def _shared(service: str, entry: object) -> _Shared:
    """Return what all servers of a service share."""
    words = dict(mapping(entry, "a mapping of servers: and settings"))
    servers = words.pop("servers", None)
    if not isinstance(servers, list):
        refuse(
            f"servers: {shown(servers)}, not a list of addresses and ports, such as [10.0.0.5:5432]"
        )

    values = read(words, SERVICE_WORDS, others=("servers",))
    fields = record_fields(values)
    # What all servers share is tried here: otherwise each of them would have the same problem.
    Instance(
        service=service,
        address="192.0.2.1",
        port=1,
        container="0" * 64,
        container_port=1,
        **{"service_port": None, **fields},
    )
    return _Shared(fields, servers)


def _instance(service: str, shared: Mapping[str, Any], server: object) -> Instance:
    own: Mapping[str, Any] = {}
    if isinstance(server, str):
        address, port = endpoint(server)
    else:
        words = dict(mapping(server, f"{ENDPOINT}, or address: and port:"))
        address = address_of(words.pop("address", None))
        port = port_of(words.pop("port")) if "port" in words else None
        own = read(words, SERVER_WORDS, others=("address", "port"))

    service_port = shared.get("service_port", port)
    port = service_port if port is None else port
    if port is None:
        refuse(f"{shown(server)} has no port; expected {ENDPOINT}")

    name = host_port(address, port)
    digits = file_container(service, name)
    identity = {"service_port": service_port, "container_name": name}
    return Instance(
        service=service,
        address=address,
        port=port,
        container=digits,
        container_port=port,
        **{**shared, **own, **identity},
    )


def _record(instance: Instance) -> Record:
    container = instance.container[:CONTAINER_SHORT]
    key = InstanceKey("file", instance.service, container, instance.container_port)
    return Record(key, instance, OLDEST, leased=False)


def _key(record: Record) -> str:
    """Return a record's name among etcd's keys; each is a line of /explain."""
    return f"{FILE_PREFIX}{record.key.service}/{record.instance.container_name}"
