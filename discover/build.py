"""From a snapshot to what HAProxy shall be: listeners and servers, sorted and complete. No I/O, no text.

Two rules keep one service's callers away from another's instances: a service port belongs to the service whose
oldest record named it first, and an address:port belongs to the newest record (its host reused the port).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType

from catalog.record import Instance, Sticky
from discover.model import INTERVAL_MS, Bind, Listener, Policy, Process, ProxyConfig, Server, because, name_of
from discover.snapshot import Record, Service, Snapshot
from sidecar.problems import Problem

Services = Mapping[str, Service]
Problems = dict[str, Problem]
Group = tuple[Record, ...]
NOBODY: Mapping[int, str] = MappingProxyType({})


class Known:
    """The listeners of the build before: those whose service is the same object are used again, as they are."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, int], tuple[Service, tuple[Bind, ...], Listener]] = {}
        self._now: dict[tuple[str, int], tuple[Service, tuple[Bind, ...], Listener]] = {}

    def begin(self) -> None:
        """Forget what the build before did not use."""
        self._before, self._now = self._now, {}

    def listener(self, service: Service, name: str, port: int, binds: tuple[Bind, ...]) -> Listener:
        """Return the listener for one port of a service."""
        found = self._before.get((name, port))
        if found is None or found[0] is not service or found[1] != binds:
            found = (service, binds, _listener(_group(service, port), port, binds))
        self._now[name, port] = found
        return found[2]


def build(
    snapshot: Snapshot, policy: Policy, known: Known | None = None, holders: Mapping[int, str] = NOBODY
) -> tuple[ProxyConfig, Mapping[str, Problem]]:
    """Return the configuration for a snapshot, and the reason for everything in it that is left out.

    With `known` it takes time for the services that changed, not for all. `holders` are the services that have a
    port now: they keep it as long as any of their records names it.
    """
    known = known or Known()
    known.begin()
    problems = {key: because("BAD_RECORD", f"record skipped: {why}") for key, why in snapshot.refused.items()}
    services = _one_per_endpoint(_one_per_name(snapshot.services, problems), problems)
    owners = _owners(services, holders)
    listeners = []
    for name in sorted(services):
        service = services[name]
        _say_portless(name, service, problems)
        for port in sorted(service.ports):
            if owners[port] != name:
                _say_claimed(name, service, port, owners[port], problems)
            elif binds := _binds(name, port, policy, problems):
                listeners.append(known.listener(service, name, port, binds))
    return ProxyConfig(_process(policy, problems), tuple(listeners)), problems


def _process(policy: Policy, problems: Problems) -> Process:
    stats = policy.process.stats
    if stats is None or stats not in policy.unusable:
        return policy.process
    problems["stats"] = because("PORT_IN_USE", f"no stats page on {stats}: {policy.unusable[stats]}")
    return replace(policy.process, stats=None)


def _one_per_endpoint(services: Services, problems: Problems) -> Services:
    """Return the services without records whose address another, newer record announces too."""
    everywhere: set[tuple[str, int]] = set().union(*(service.endpoints for service in services.values()))
    if len(everywhere) == sum(len(service.records) for service in services.values()):
        return services
    newest: dict[tuple[str, int], tuple[str, Record]] = {}
    hidden: dict[str, set[str]] = {}
    records = ((key, record) for service in services.values() for key, record in service.records.items())
    for key, record in sorted(records, key=lambda item: (item[1].created, item[0])):
        if (older := newest.get(record.endpoint)) is not None:
            text = f"{record.endpoint[0]} port {record.endpoint[1]} was announced again"
            problems[older[0]] = because("ADDRESS_REUSED", f"hidden: {text}, by {record.key.service} {record.key.name}")
            hidden.setdefault(older[1].key.service, set()).add(older[0])
        newest[record.endpoint] = (key, record)
    return {name: _without(service, hidden.get(name, set())) for name, service in services.items()}


def _without(service: Service, keys: set[str]) -> Service:
    return Service.of({k: r for k, r in service.records.items() if k not in keys}) if keys else service


def _one_per_name(services: Services, problems: Problems) -> Services:
    """Return the services without records of a container that another host announces too, by a newer record."""
    kept = dict(services)
    for service, it in services.items():
        if len(it.names) == len(it.records):
            continue
        newest: dict[str, tuple[str, Record]] = {}
        for key, record in sorted(it.records.items(), key=lambda item: (item[1].created, item[0])):
            if (older := newest.get(record.key.name)) is not None:
                text = f"{service} {record.key.name} is announced by host {record.key.host} too"
                problems[older[0]] = because("ADDRESS_REUSED", f"hidden: {text}")
            newest[record.key.name] = (key, record)
        kept[service] = Service.of(dict(newest.values()))
    return kept


def _owners(services: Services, holders: Mapping[int, str]) -> Mapping[int, str]:
    """Return which service each port belongs to: who has it, else whose record named it first, else by name."""
    first: dict[int, tuple[int, str]] = {}
    for name, service in services.items():
        for port, created in service.ports.items():
            first[port] = min(first.get(port, (created, name)), (created, name))
    owners = {port: name for port, (_, name) in first.items()}
    kept = {port: name for port, name in holders.items() if name in services and port in services[name].ports}
    return owners | kept


def _say_portless(name: str, service: Service, problems: Problems) -> None:
    text = "has no service port: SERVICE_PORT=auto needs a claimed port, which this version cannot claim yet"
    for key in service.portless:
        problems[key] = because("NO_SERVICE_PORT", f"{name} {text}; name a number")


def _say_claimed(name: str, service: Service, port: int, owner: str, problems: Problems) -> None:
    text = f"service port {port} belongs to {owner}, which named it first; set SERVICE_PORT"
    for key, record in service.records.items():
        if record.instance.service_port == port:
            problems[key] = because("PORT_CLAIMED", f"{name} not listened for: {text}")


def _binds(name: str, port: int, policy: Policy, problems: Problems) -> tuple[Bind, ...]:
    if policy.process.stats and port == policy.process.stats.port:
        text = f"service port {port} is the stats page's; set SERVICE_PORT, or STATS of docker-discover"
        problems[f"{name}:{port}"] = because("PORT_RESERVED", f"{name} not listened for: {text}")
        return ()
    wanted = tuple(Bind(host, port) for host in policy.hosts)
    if not policy.unusable:
        return wanted
    for bind in wanted:
        if (why := policy.unusable.get(bind)) is not None:
            text = f"{name} not listened for on {bind}: {why}"
            problems[f"{name}:{port} on {bind.host}"] = because("PORT_IN_USE", text)
    return tuple(bind for bind in wanted if bind not in policy.unusable)


def _group(service: Service, port: int) -> Group:
    """Return the records of one service port; the one whose word counts for the whole service comes first."""

    def order(record: Record) -> tuple[object, ...]:
        return (record.instance.role, record.created, record.key)  # "real" sorts before "stub"

    return tuple(sorted((r for r in service.records.values() if r.instance.service_port == port), key=order))


def _listener(group: Group, port: int, binds: tuple[Bind, ...]) -> Listener:
    # Where instances of one service disagree on what only the whole can have, the oldest real one is heard: a
    # rolling change takes effect when the last instance of the old kind is gone, the same on every host.
    first = group[0].instance
    sticky: Sticky = first.sticky if first.mode == "http" else "none"
    return Listener(
        name=name_of(first.service, port),
        service=first.service,
        port=port,
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
