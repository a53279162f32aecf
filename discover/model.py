"""From a snapshot to what HAProxy shall be: listeners and servers, sorted and complete. No I/O, no text.

Two rules keep one service's callers away from another's instances: a service port belongs to the service whose
oldest record named it first, and an address:port belongs to the newest record (its host reused the port).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Literal, get_args

from catalog.record import Balance, Check, Instance, Mode, Retry, Sticky
from discover.snapshot import Record, Snapshot
from sidecar.problems import Problem

# Why something is left out: docs/reasons.md explains each.
Code = Literal[
    "BAD_RECORD",
    "NO_SERVICE_PORT",
    "ADDRESS_REUSED",
    "PORT_CLAIMED",
    "PORT_RESERVED",
    "PORT_IN_USE",
    "TEMPLATE_REFUSED",
]
INTERVAL_MS = 2000  # a dead host is out after 3.2 s with it (research/haproxy.md section 3.2)
CODES: tuple[Code, ...] = get_args(Code)


def because(code: Code, text: str) -> Problem:
    """Return why something is left out."""
    return Problem(code, text)


@dataclass(frozen=True, slots=True, order=True)
class Bind:
    """One address to listen on: an IP literal or `*`, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """One instance as a server: `name` is unique in its listener and stays the same while the container lives."""

    name: str
    endpoint: str
    weight: int
    draining: bool
    backup: bool
    cookie: str


@dataclass(frozen=True, slots=True)
class Listener:
    """One service port: where callers dial and which servers answer."""

    name: str
    service: str
    port: int
    binds: tuple[Bind, ...]
    mode: Mode
    balance: Balance
    sticky: Sticky
    retry: Retry
    timeout_ms: int | None
    check: Check
    interval_ms: int
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """What holds for HAProxy as a whole; it changes with this sidecar's settings only."""

    stats: Bind | None
    admin_socket: str
    maxconn: int
    user: str | None  # None: HAProxy keeps the user it was started as
    group: str | None


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """All that a template lays out."""

    process: Process
    listeners: tuple[Listener, ...]

    @property
    def binds(self) -> frozenset[Bind]:
        """Every address that is listened on."""
        own = {self.process.stats} if self.process.stats else set()
        return frozenset(own | {bind for listener in self.listeners for bind in listener.binds})


@dataclass(frozen=True, slots=True)
class Policy:
    """What this host adds: where to listen, and which addresses cannot be used now, with the reason."""

    process: Process
    hosts: tuple[str, ...]
    unusable: Mapping[Bind, str]


def build(snapshot: Snapshot, policy: Policy) -> tuple[ProxyConfig, Mapping[str, Problem]]:
    """Return the configuration for a snapshot, and the reason for everything in it that is left out."""
    problems = {key: because("BAD_RECORD", f"record skipped: {why}") for key, why in snapshot.refused.items()}
    records = _with_port(snapshot.records, problems)
    records = _one_per_endpoint(records, problems)
    records = _one_service_per_port(records, problems)
    listeners = []
    for group in _groups(records):
        if binds := _binds(group, policy, problems):
            listeners.append(_listener(group, binds))
    return ProxyConfig(_process(policy, problems), tuple(listeners)), problems


def with_idle(config: ProxyConfig, idle: Iterable[Listener]) -> ProxyConfig:
    """Return a configuration that also listens for services that have no instance now.

    A caller can so tell "down" from "unknown", and a service whose only container comes and goes takes no reload.
    A port that another service has by now is not listened on twice.
    """
    ports = {listener.port for listener in config.listeners}
    more = tuple(replace(listener, servers=()) for listener in idle if listener.port not in ports)
    return replace(config, listeners=tuple(sorted((*config.listeners, *more), key=attrgetter("service", "port"))))


Kept = Mapping[str, Record]
Problems = dict[str, Problem]


def _process(policy: Policy, problems: Problems) -> Process:
    stats = policy.process.stats
    if stats is None or stats not in policy.unusable:
        return policy.process
    problems["stats"] = because("PORT_IN_USE", f"no stats page on {stats}: {policy.unusable[stats]}")
    return replace(policy.process, stats=None)


def _with_port(records: Kept, problems: Problems) -> Kept:
    kept = {}
    for key, record in records.items():
        if record.instance.service_port is None:
            text = "has no service port: SERVICE_PORT=auto needs a claimed port, which this version cannot claim yet"
            problems[key] = because("NO_SERVICE_PORT", f"{record.key.service} {text}; name a number")
        else:
            kept[key] = record
    return kept


def _one_per_endpoint(records: Kept, problems: Problems) -> Kept:
    newest: dict[tuple[str, int], str] = {}
    for key, record in sorted(records.items(), key=lambda item: item[1].created):
        endpoint = (record.instance.address, record.instance.port)
        if (older := newest.get(endpoint)) is not None:
            text = f"{endpoint[0]} port {endpoint[1]} was announced again, by {record.key.service} {record.key.name}"
            problems[older] = because("ADDRESS_REUSED", f"hidden: {text}")
        newest[endpoint] = key
    return {key: records[key] for key in newest.values()}


def _one_service_per_port(records: Kept, problems: Problems) -> Kept:
    owner: dict[int, str] = {}
    for record in sorted(records.values(), key=attrgetter("created", "key")):
        owner.setdefault(_port(record), record.key.service)
    kept = {}
    for key, record in records.items():
        holder = owner[_port(record)]
        if holder == record.key.service:
            kept[key] = record
        else:
            text = f"service port {_port(record)} belongs to {holder}, which named it first; set SERVICE_PORT"
            problems[key] = because("PORT_CLAIMED", f"{record.key.service} not listened for: {text}")
    return kept


def _groups(records: Kept) -> Iterable[tuple[Record, ...]]:
    """Return the records of each service port; those whose word counts for the whole service come first."""

    def order(record: Record) -> tuple[object, ...]:
        return (record.key.service, _port(record), record.instance.role, record.created, record.key)

    for _, group in groupby(sorted(records.values(), key=order), key=lambda record: order(record)[:2]):
        yield tuple(group)


def _binds(group: tuple[Record, ...], policy: Policy, problems: Problems) -> tuple[Bind, ...]:
    service, port = group[0].key.service, _port(group[0])
    if policy.process.stats and port == policy.process.stats.port:
        text = f"service port {port} is the stats page's; set SERVICE_PORT, or STATS of docker-discover"
        problems[f"{service}:{port}"] = because("PORT_RESERVED", f"{service} not listened for: {text}")
        return ()
    wanted = [Bind(host, port) for host in policy.hosts]
    for bind in wanted:
        if (why := policy.unusable.get(bind)) is not None:
            problems[f"{service}:{port} on {bind.host}"] = because(
                "PORT_IN_USE", f"{service} not listened for on {bind}: {why}"
            )
    return tuple(bind for bind in wanted if bind not in policy.unusable)


def _listener(group: tuple[Record, ...], binds: tuple[Bind, ...]) -> Listener:
    # Where instances of one service disagree on what only the whole can have, the oldest real one is heard: a
    # rolling change takes effect when the last instance of the old kind is gone, the same on every host.
    first = group[0].instance
    sticky: Sticky = first.sticky if first.mode == "http" else "none"
    return Listener(
        name=f"{first.service}:{first.service_port}",
        service=first.service,
        port=_port(group[0]),
        binds=binds,
        mode=first.mode,
        balance=first.balance or "roundrobin",
        sticky=sticky,
        retry=first.retry,
        timeout_ms=first.timeout_ms,
        check=first.check,
        interval_ms=first.check.interval_ms or INTERVAL_MS,
        servers=tuple(_server(record, sticky) for record in sorted(group, key=attrgetter("key"))),
    )


def _server(record: Record, sticky: Sticky) -> Server:
    instance = record.instance
    # A hash, as an address in a cookie would tell every client how the network looks inside.
    cookie = hashlib.sha256(record.key.name.encode()).hexdigest()[:12] if sticky == "cookie" else ""
    return Server(
        name=record.key.name,
        endpoint=_endpoint(instance),
        weight=instance.weight,
        draining=instance.state == "draining",
        backup=instance.role == "stub",
        cookie=cookie,
    )


def _endpoint(instance: Instance) -> str:
    return f"[{instance.address}]:{instance.port}" if ":" in instance.address else f"{instance.address}:{instance.port}"


def _port(record: Record) -> int:
    port = record.instance.service_port
    if port is None:
        raise ValueError(f"{record.key} has no service port")  # _with_port() has left these out
    return port
