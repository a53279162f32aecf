"""From a snapshot to what HAProxy shall be: listeners and servers, sorted and complete. No I/O, no text."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from discover.model.config import Bind, Door, HostPolicy, Listener, Location, Process, ProxyConfig
from discover.model.health_check import INTERVAL_MS, check_interval_ms
from discover.model.http_routes import Wished, granted, url_of
from discover.model.listener import group_of, listener_of, odd_in
from discover.model.names import NO_PORT, ServicePort
from discover.model.ownership import NOTHING, OLDEST, Listening, Ownership, Problems, Services
from discover.reasons import because
from discover.snapshot.port_claims import Claimed
from discover.snapshot.snapshot import Service, Snapshot
from sidecar.status.problems import Problem

_Same = tuple[tuple[Bind, ...], int, tuple[str, ...]]
_Made = tuple[_Same, Listener, Problems]
_Routes = Mapping[ServicePort, tuple[str, ...]]
_Lost = Mapping[int, list[tuple[Bind, str]]]  # addresses that cannot be used, and why, by port


@dataclass(frozen=True, slots=True)
class _World:
    """All that services' listeners are made from besides their own records."""

    policy: HostPolicy
    door: Door | None
    interval_ms: int
    holders: Mapping[int, str]
    owners: Mapping[int, str]
    routes: _Routes
    lost: _Lost

    @property
    def rules(self) -> object:
        """What holds for all services alike."""
        return (
            self.policy.process,
            self.policy.hosts,
            self.policy.location,
            self.door,
            self.interval_ms,
        )

    def around(self, name: str, service: Service) -> object:
        """Return what one service has of the rest."""
        lost, holders, owners, routes = (
            self.lost.get,
            self.holders.get,
            self.owners.get,
            self.routes.get,
        )
        ports = [
            (lost(port), holders(port), owners(port), routes((name, port)))
            for port in service.ports
        ]
        return self.policy.unclaimed.get(name), ports, routes((name, NO_PORT))


@dataclass(slots=True)
class _Part:
    """What one service gives: its listeners, what is said of it, and what is said only if nothing worse is."""

    service: Service
    around: object
    listeners: list[Listener] = field(default_factory=list)
    said: Problems = field(default_factory=dict)
    odd: Problems = field(default_factory=dict)
    made: dict[int, _Made] = field(default_factory=dict)  # by service port


_NO_PART = _Part(Service.of({}), None)


class BuildMemo:
    """The build before: what has not changed since is used again, the same objects."""

    def __init__(self) -> None:
        self.claimed = Claimed()
        self.wished = Wished()
        self.ownership = Ownership()
        self._interval_ms = INTERVAL_MS
        self._world: _World | None = None
        self._parts: dict[str, _Part] = {}

    def interval_ms(self, hosts: int) -> int:
        """Return the time between health checks, of which so many hosts make them now."""
        self._interval_ms = check_interval_ms(self._interval_ms, hosts)
        return self._interval_ms

    def parts(self, services: Services, world: _World) -> Collection[_Part]:
        """Return what each service gives, in their order by name."""
        before, known = self._parts, self._world
        if known != world or before.keys() != services.keys():
            rules_stay = known is not None and known.rules == world.rules

            def kept(name: str) -> _Part:
                part = before.get(name, _NO_PART) if rules_stay else _NO_PART
                return part if part.around == world.around(name, services[name]) else _NO_PART

            self._world, self._parts = world, {name: kept(name) for name in sorted(services)}
        stale = [name for name, part in self._parts.items() if part.service is not services[name]]
        for name in stale:
            service, part = services[name], before.get(name, _NO_PART)
            self._parts[name] = _part(
                name, service, world, part.made if part.service is service else {}
            )
        return self._parts.values()


def build(
    snapshot: Snapshot,
    policy: HostPolicy,
    known: BuildMemo | None = None,
    listening: Listening = NOTHING,
) -> tuple[ProxyConfig, Mapping[str, Problem]]:
    """Return the configuration for a snapshot, and the reason for everything in it that is left out.

    With `known` it takes time for the services that changed, not for all. `listening` is what HAProxy has
    now: a service keeps the port it has as long as any of its records names it.
    """
    known = known or BuildMemo()
    problems = {
        key: because("BAD_RECORD", f"record skipped: {why}")
        for key, why in snapshot.refused.items()
    }
    claimed = known.claimed.services(snapshot)
    services, owners = known.ownership.settled(claimed, listening, snapshot.claims, problems)
    process = _process(policy, problems)
    routes = _routes(services, process.door, known, problems)
    every_ms = known.interval_ms(len(snapshot.owners))
    lost = _by_port(policy.unusable)
    parts = known.parts(
        services, _World(policy, process.door, every_ms, listening.holders, owners, routes, lost)
    )
    for part in (part for part in parts if part.said or part.odd):
        problems.update(part.said)
        for key, problem in part.odd.items():
            problems.setdefault(key, problem)
    return ProxyConfig(
        process, tuple(chain.from_iterable(part.listeners for part in parts))
    ), problems


def _by_port(unusable: Mapping[Bind, str]) -> _Lost:
    found: dict[int, list[tuple[Bind, str]]] = {}
    for bind, why in unusable.items():
        found.setdefault(bind.port, []).append((bind, why))
    return found


def _part(name: str, service: Service, world: _World, before: Mapping[int, _Made]) -> _Part:
    """Return what a service gives; listeners that were made from just the same before are not made again."""
    part, door = _Part(service, world.around(name, service)), world.door
    reserved = _reserved(world.policy.process)
    _say_portless(name, service, world.policy, part.said)
    for port in sorted(service.ports):
        there = world.routes.get((name, port), ())
        reached = f"; it is reached at {url_of(door, there)}" if door and there else ""
        # Who is reached by its name does not take the port of one that is only empty now.
        owner = world.holders.get(port, world.owners[port]) if there else world.owners[port]
        binds: tuple[Bind, ...] = ()
        if owner == name:
            binds = _binds(name, port, world.policy, reserved, part.said, reached)
        else:
            _say_claimed(
                name,
                service,
                port,
                f"{owner}, which claimed or named it first{reached}",
                part.said,
                there,
            )
        if binds or there:
            _add(part, port, (binds, world.interval_ms, there), before, world.policy.location)
    if there := world.routes.get((name, NO_PORT), ()):
        _add(part, NO_PORT, ((), world.interval_ms, there), before, world.policy.location)
    return part


def _add(
    part: _Part, port: int, same: _Same, before: Mapping[int, _Made], location: Location
) -> None:
    """Add the listener for one port of a service, and what is odd about its records."""
    found = before.get(port)
    if found is None or found[0] != same:
        group, (binds, every_ms, routes) = group_of(part.service, port), same
        listener = replace(listener_of(group, port, binds, every_ms, location), routes=routes)
        found = (same, listener, odd_in(part.service, group))
    part.made[port] = found
    part.listeners.append(found[1])
    part.odd.update(found[2])


def _routes(services: Services, door: Door | None, known: BuildMemo, problems: Problems) -> _Routes:
    """Return the keys of the door's map that lead to each service port; none without a door."""
    if door is None:
        return {}
    return granted(known.wished.all(services, door.domain, problems), problems)


def _process(policy: HostPolicy, problems: Problems) -> Process:
    process, unusable = policy.process, policy.unusable
    if process.stats and process.stats in unusable:
        problems["stats"] = because(
            "PORT_IN_USE", f"no stats page on {process.stats}: {unusable[process.stats]}"
        )
        process = replace(process, stats=None)
    if process.door and (lost := [bind for bind in process.door.binds if bind in unusable]):
        for bind in lost:
            text = f"no http services on {bind}: {unusable[bind]}"
            problems[f"HTTP_BIND on {bind.host}"] = because("PORT_IN_USE", text)
        left = tuple(bind for bind in process.door.binds if bind not in lost)
        process = replace(process, door=replace(process.door, binds=left) if left else None)
    return process


def _say_portless(name: str, service: Service, policy: HostPolicy, problems: Problems) -> None:
    why = policy.unclaimed.get(name)
    text = f"{name} has no service port: {why or 'one is being claimed from PORT_RANGE'}"
    for key in service.portless:
        problems[key] = replace(
            because("NO_SERVICE_PORT", text), quiet=why is None
        )  # it takes some milliseconds


def _say_claimed(
    name: str, service: Service, port: int, owner: str, problems: Problems, there: tuple[str, ...]
) -> None:
    for key, record in service.records.items():
        if record.instance.service_port == port:
            # what the operator wrote has a word of its file, not a label
            setting = "port:" if record.created == OLDEST else "SERVICE_PORT"
            text = f"service port {port} belongs to {owner}; {setting} names another"
            problem = because("PORT_CLAIMED", f"{name} not listened for: {text}")
            problems[key] = replace(
                problem, quiet=bool(there)
            )  # behind a door that is how most http services live


def _reserved(process: Process) -> Mapping[int, tuple[str, str]]:
    """Return HAProxy's own ports: whose each is, and the setting that names it."""
    own = {process.stats.port: ("the stats page's", "STATS")} if process.stats else {}
    http = process.door.binds if process.door else ()
    return own | {bind.port: ("that of all http services", "HTTP_BIND") for bind in http}


def _binds(
    name: str,
    port: int,
    policy: HostPolicy,
    reserved: Mapping[int, tuple[str, str]],
    problems: Problems,
    reached: str,
) -> tuple[Bind, ...]:
    if port in reserved:
        whose, setting = reserved[port]
        other = f"set SERVICE_PORT (port: in the file of SERVICES), or {setting} of docker-discover"
        text = f"service port {port} is {whose}; {other}"
        problems[f"{name}:{port}"] = because(
            "PORT_RESERVED", f"{name} not listened for: {text}{reached}"
        )
        return ()
    wanted = tuple(Bind(host, port) for host in policy.hosts)
    if not policy.unusable:
        return wanted
    for bind in wanted:
        if (why := policy.unusable.get(bind)) is not None:
            text = f"{name} not listened for on {bind}: {why}{reached}"
            problems[f"{name}:{port} on {bind.host}"] = because("PORT_IN_USE", text)
    return tuple(bind for bind in wanted if bind not in policy.unusable)
