"""Services outside: the text that people write about servers which no container is, into records. No I/O.

The words are those of the labels, in lower case. The only user of yaml; imported only where SERVICES names a file.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from catalog.errors import Rejected
from catalog.host_port import host_port
from catalog.keys import InstanceKey
from catalog.record import Instance
from catalog.rules import SERVICE_NAME, matches
from discover.model.ownership import OLDEST
from discover.operator.services_words import (
    ADDRESS,
    OF_SERVER,
    OF_SERVICE,
    address_of,
    endpoint,
    mapping,
    plain,
    port_of,
    read,
    said,
    wrong,
)
from discover.reasons import because
from discover.snapshot.snapshot import Record, Service, Snapshot
from sidecar.problems import Problem

BYTES_MAX = 4 * 1024 * 1024  # ten thousand servers and more, each on a line of its own
PLACE = "file:"  # what their names among keys of etcd and in /explain begin with; a key begins with a slash


@dataclass(frozen=True, slots=True)
class Outside:
    """The services of a file, and what is wrong with it: each entry is refused alone, `spoilt` are their services."""

    services: Mapping[str, Service] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    spoilt: frozenset[str] = frozenset()


def outside_of(file: str, text: str) -> Outside:
    """Return what a text says; `file` is its name in messages. Raises Rejected if it is no such file at all."""
    reading = _Reading(file)
    for name, entry in _services(text).items():
        reading.take(name, entry)
    services = {name: Service.of(records) for name, records in reading.records.items() if records}
    return Outside(services, reading.problems, frozenset(reading.spoilt))


def with_last_good(now: Outside, before: Mapping[str, Service]) -> Outside:
    """Return it with services that an edit spoilt as they were: a slip of the pen takes no server away.

    What did not change is the same object, so that nothing is laid out anew for it.
    """
    same = {name: before[name] for name, it in now.services.items() if before.get(name) == it}
    kept = {name: before[name] for name in now.spoilt & before.keys()}

    def told(where: str, problem: Problem) -> Problem:
        stays = where.removeprefix(PLACE).partition(" ")[0] in kept
        return (
            replace(problem, text=f"{problem.text}; until then the service stays as it was")
            if stays
            else problem
        )

    problems = {where: told(where, problem) for where, problem in now.problems.items()}
    return replace(now, services={**now.services, **same, **kept}, problems=problems)


class Joined:
    """Snapshots with the services of a file in them; what neither side changed is the same object as before."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Service | None, Service, Service]] = {}

    def of(self, snapshot: Snapshot, services: Mapping[str, Service]) -> Snapshot:
        """Return a snapshot of which these services are a part, beside the containers that they have."""
        known, self._known = self._known, {}
        for name, own in services.items():
            base, found = snapshot.services.get(name), known.get(name)
            if found is None or found[0] is not base or found[1] is not own:
                found = base, own, Service.of({**base.records, **own.records}) if base else own
            self._known[name] = found
        joined = {name: it for name, (_, _, it) in self._known.items()}
        return replace(snapshot, services={**snapshot.services, **joined}) if joined else snapshot


def services_of(instances: Iterable[Instance]) -> Mapping[str, Service]:
    """Return the services that these instances are."""
    found: dict[str, dict[str, Record]] = {}
    for instance in instances:
        record = _record(instance)
        found.setdefault(instance.service, {})[_where(record)] = record
    return {name: Service.of(records) for name, records in found.items()}


# Its scanner in C is ten times as fast; only a yaml that was built without libyaml lacks it.
_Safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[valid-type, misc]
    """What yaml.safe_load reads with, but a name that stands twice is said: the first one would vanish unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; the marks are those of yaml."""
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} stands there twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _services(text: str) -> dict[Any, Any]:
    if len(text) > BYTES_MAX:
        raise Rejected(f"{len(text)} bytes, at most {BYTES_MAX} are read")
    try:
        document = yaml.load(text, _Loader)  # noqa: S506  it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Rejected(f"no YAML: {line}{error.problem}") from error
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        # yaml's readers of tagged scalars, such as !!bool or !!timestamp, raise what their code happens to
        raise Rejected(f"no YAML: {error!r:.120}") from error
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or len(document) > 1:
        seen = (
            f"names {', '.join(map(said, document))}"
            if isinstance(document, dict)
            else f"is {said(document)}"
        )
        seen = "is empty" if document is None else seen
        raise Rejected(
            f"{seen}; right would be `services:` with a name for each, or `services: {{}}` for none"
        )
    return services


class _Reading:
    """What the entries of a file have said so far."""

    def __init__(self, file: str) -> None:
        self.records: dict[str, dict[str, Record]] = {}
        self.problems: dict[str, Problem] = {}
        self.spoilt: set[str] = set()
        self._file = file

    def take(self, name: object, entry: object) -> None:
        """Read one service; what is wrong with it is kept as its problem."""
        try:
            matches("service", name, SERVICE_NAME, "lower-case letters, digits and -, at most 63")
            common, servers = _common(str(name), entry)
        except Rejected as error:
            self._refuse(name, "", error)
            return
        records = self.records.setdefault(str(name), {})
        for number, server in enumerate(servers, start=1):
            try:
                record = _record(_instance(str(name), common, server))
                if records.setdefault(_where(record), record) is not record:
                    wrong(f"{record.instance.container_name} stands there twice")
            except Rejected as error:
                self._refuse(name, f" server {number}", error)

    def _refuse(self, name: object, server: str, error: Rejected) -> None:
        where = f"{plain(name)}{server}"
        self.problems[PLACE + where] = because("OUTSIDE_REFUSED", f"{self._file}: {where}: {error}")
        if isinstance(name, str):
            self.spoilt.add(name)


def _common(service: str, entry: object) -> tuple[Mapping[str, Any], list[Any]]:
    """Return what a service says of all its servers, read, and its servers, not yet read."""
    words = mapping(entry, "servers: and its own words")
    servers = words.get("servers")
    if not isinstance(servers, list):
        wrong(
            f"servers: {said(servers)}, not a list of addresses and ports, such as [10.0.0.5:5432]"
        )
    common = read(
        {name: value for name, value in words.items() if name != "servers"}, OF_SERVICE, "servers"
    )
    if common.get("hosts") or common.get("paths"):
        common.setdefault("mode", "http")  # as with labels: only http has them
    # All that servers share is tried here, or each of them would be told the same.
    Instance(
        service=service,
        address="192.0.2.1",
        port=1,
        container="0" * 64,
        container_port=1,
        **{"service_port": None, **common},
    )
    return common, servers


def _instance(service: str, common: Mapping[str, Any], server: object) -> Instance:
    told: dict[str, Any] = {}
    if isinstance(server, str):
        address, port = endpoint(server)
    else:
        words = dict(mapping(server, f"{ADDRESS}, or address: and port:"))
        address = address_of(words.pop("address", None))
        port = port_of(words.pop("port")) if "port" in words else None
        told = read(words, OF_SERVER, "address", "port")
    service_port = common.get("service_port", port)
    if port is None and (port := service_port) is None:
        wrong(f"{said(server)} names no port; right would be {ADDRESS}")
    name = host_port(address, port)
    digits = hashlib.sha256(f"{service} {name}".encode()).hexdigest()
    values = {**common, **told, "service_port": service_port, "container_name": name}
    return Instance(
        service=service, address=address, port=port, container=digits, container_port=port, **values
    )


def _record(instance: Instance) -> Record:
    key = InstanceKey("file", instance.service, instance.container[:12], instance.container_port)
    return Record(key, instance, OLDEST, leased=False)


def _where(record: Record) -> str:
    """Return its place among keys of etcd, each a line of /explain."""
    return f"{PLACE}{record.key.service}/{record.instance.container_name}"
