"""From a snapshot to what HAProxy shall be: listeners and servers, sorted and complete. No I/O.

`build` has the steps. What one service gives is decided in service_listeners.py.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType

from discover.model.health_check import INTERVAL_MS, check_interval_ms
from discover.model.http_routes import RouteRequests, Routes, assigned_routes, route_requests
from discover.model.ownership import NOTHING, Listening, Ownership, Problems, Services
from discover.model.proxy_config import NO_PORT, Bind, Door, HostPolicy, Process, ProxyConfig
from discover.model.service_listeners import (
    HostRules,
    PortInput,
    ServiceInput,
    ServiceListeners,
    listeners_of,
)
from discover.reasons import because
from discover.snapshot.belongs import Holds
from discover.snapshot.holds import port_key
from discover.snapshot.port_claims import Claimed
from discover.snapshot.snapshot import Service, Snapshot
from sidecar.memo import Memo, MemoByName
from sidecar.status.problems import Problem

_ALL_USABLE: Mapping[Bind, str] = MappingProxyType({})


def build(
    snapshot: Snapshot,
    policy: HostPolicy,
    memo: "BuildMemo | None" = None,
    listening: Listening = NOTHING,
) -> tuple[ProxyConfig, Mapping[str, Problem]]:
    """Return the configuration for a snapshot, and the reason for everything that it leaves out.

    With the memo of earlier builds it takes time for the services that changed, not for all.
    `listening` is what HAProxy has now: a service keeps its port as long as a record names it.
    """
    memo = memo or BuildMemo()
    problems = _bad_records(snapshot)
    if policy.unheld:
        text = f"services may lose their ports and names while they restart: {policy.unheld}"
        problems["holds"] = because("NOT_HELD", text)

    with_ports = memo.claimed.services(snapshot)
    services, owners = memo.ownership.resolve(
        with_ports, listening, snapshot.claims, snapshot.holds, problems
    )

    process = _usable_process(policy, problems)
    routes = _routes(services, process.door, snapshot.holds, memo, problems)

    shared = _Shared(
        rules=HostRules(
            process=policy.process,
            door=process.door,
            hosts=policy.hosts,
            location=policy.location,
            interval_ms=memo.interval_ms(len(snapshot.owners)),
            reserved=policy.reserved,
        ),
        unclaimed=policy.unclaimed,
        owners=owners,
        holds=snapshot.holds,
        routes=routes,
        unusable=_by_port(policy.unusable),
    )
    found = memo.listeners(services, shared)

    _add_problems(found, problems)
    listeners = chain.from_iterable(each.listeners for each in found)
    return ProxyConfig(process, tuple(listeners)), problems


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all services share, and each gets its part of."""

    rules: HostRules
    # Services for which no port was claimed, and why.
    unclaimed: Mapping[str, str]
    # By port: the service that it belongs to.
    owners: Mapping[int, str]
    holds: Holds
    routes: Routes
    # By port: addresses that cannot be used, and why.
    unusable: Mapping[int, Mapping[Bind, str]]

    def input_of(self, name: str, service: Service) -> ServiceInput:
        """Return what one service's listeners are made from."""
        return ServiceInput(
            name=name,
            service=service,
            ports=tuple(self._port_of(name, port) for port in sorted(service.ports)),
            portless_routes=self.routes.get((name, NO_PORT), ()),
            unclaimed=self.unclaimed.get(name),
        )

    def _port_of(self, name: str, port: int) -> PortInput:
        routes = self.routes.get((name, port), ())
        owner = self.owners[port]
        # A hold of its own changes nothing for a service, so that it is not laid out anew.
        held = self.holds.get(port_key(port)) if owner != name else None
        if held is not None and held.holder != owner:
            held = None
        return PortInput(port, owner, held, routes, self.unusable.get(port, _ALL_USABLE))


class BuildMemo:
    """What the builds before found, for the services that did not change since."""

    def __init__(self) -> None:
        self.claimed = Claimed()
        self.ownership = Ownership()
        self._interval_ms = INTERVAL_MS
        self._requests = Memo(_requests_within)
        self._inputs = Memo(_inputs_from)
        self._listeners = Memo(_listeners_by)

    def interval_ms(self, hosts: int) -> int:
        """Return the time between health checks that this many hosts make."""
        self._interval_ms = check_interval_ms(self._interval_ms, hosts)
        return self._interval_ms

    def route_requests(self, services: Services, domain: str) -> Mapping[str, RouteRequests]:
        """Return which keys of the door each service asks for."""
        return self._requests.get(domain).get(services)

    def listeners(self, services: Services, shared: _Shared) -> Collection[ServiceListeners]:
        """Return what each service gives, in the order of their names."""
        inputs = self._inputs.get(shared).get(services)
        found = self._listeners.get(shared.rules).get(inputs)
        return [found[name] for name in sorted(found)]


def _requests_within(domain: str) -> MemoByName[Service, RouteRequests]:
    return MemoByName(lambda name, service: route_requests(name, service, domain))


def _inputs_from(shared: _Shared) -> MemoByName[Service, ServiceInput]:
    return MemoByName(shared.input_of)


def _listeners_by(rules: HostRules) -> MemoByName[ServiceInput, ServiceListeners]:
    return MemoByName(lambda _name, given: listeners_of(given, rules))


def _bad_records(snapshot: Snapshot) -> Problems:
    return {
        key: because("BAD_RECORD", f"record skipped: {why}")
        for key, why in snapshot.refused.items()
    }


def _routes(
    services: Services, door: Door | None, holds: Holds, memo: BuildMemo, problems: Problems
) -> Routes:
    """Return the keys of the door's map that lead to each service port; none without a door."""
    if door is None:
        return {}

    requested = memo.route_requests(services, door.domain)
    for requests in requested.values():
        problems.update(requests.problems)

    return assigned_routes(requested, holds, problems)


def _by_port(unusable: Mapping[Bind, str]) -> Mapping[int, Mapping[Bind, str]]:
    found: dict[int, dict[Bind, str]] = {}
    for bind, why in unusable.items():
        found.setdefault(bind.port, {})[bind] = why

    return found


def _usable_process(policy: HostPolicy, problems: Problems) -> Process:
    """Return HAProxy's own addresses without those that cannot be used."""
    process = policy.process
    unusable = policy.unusable

    if process.stats and process.stats in unusable:
        text = f"no stats page on {process.stats}: {unusable[process.stats]}"
        problems["stats"] = because("PORT_IN_USE", text)
        process = replace(process, stats=None, stats_ipv6=None)
    elif process.stats_ipv6 in unusable:
        # The page is there, at 127.0.0.1: that is worth no word.
        process = replace(process, stats_ipv6=None)

    if process.door:
        process = replace(process, door=_usable_door(process.door, unusable, problems))

    return process


def _usable_door(door: Door, unusable: Mapping[Bind, str], problems: Problems) -> Door | None:
    lost = [bind for bind in door.binds if bind in unusable]
    if not lost:
        return door

    for bind in lost:
        text = f"no http services on {bind}: {unusable[bind]}"
        problems[f"HTTP_BIND on {bind.host}"] = because("PORT_IN_USE", text)

    left = tuple(bind for bind in door.binds if bind not in unusable)
    return replace(door, binds=left) if left else None


def _add_problems(found: Collection[ServiceListeners], problems: Problems) -> None:
    # Most services have none, and this runs for all of them.
    for each in (each for each in found if each.problems or each.oddities):
        problems.update(each.problems)
        for key, oddity in each.oddities.items():
            problems.setdefault(key, oddity)
