"""What one service gives: its listeners, and what of its records is not served as asked. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from catalog.values.reserved_ports import PortSet
from discover.model.http_routes import url_of
from discover.model.listener import group_of, listener_of, odd_in, records_on
from discover.model.ownership import OLDEST, Problems
from discover.model.proxy_config import (
    NO_PORT,
    Bind,
    Door,
    Listener,
    Location,
    Process,
    Yielded,
)
from discover.reasons import Code, because
from discover.snapshot.belongs import Held
from discover.snapshot.holds import hand_over_of, told
from discover.snapshot.snapshot import Service


@dataclass(frozen=True, slots=True)
class HostRules:
    """What holds on this host for all services alike."""

    # As the settings want it; what cannot be used of it is reserved all the same.
    process: Process
    # None also if no address of the door can be used.
    door: Door | None
    hosts: tuple[str, ...]
    location: Location
    interval_ms: int
    # Ports that no service gets here.
    reserved: PortSet


class PortInput(NamedTuple):
    """What one port of a service gets of what services share."""

    port: int
    # The service that the port belongs to, and its hold if that is another's.
    owner: str
    held: Held | None
    # The door's keys that lead here.
    routes: tuple[str, ...]
    # Addresses with this port that cannot be used, and why.
    unusable: Mapping[Bind, str]


class ServiceInput(NamedTuple):
    """All that one service's listeners are made from, besides the rules of the host."""

    name: str
    service: Service
    ports: tuple[PortInput, ...]
    # The door's keys that lead to records without a port.
    portless_routes: tuple[str, ...]
    # Why no port was claimed for it; None while that is still being done, or need not be.
    unclaimed: str | None


@dataclass(slots=True)
class ServiceListeners:
    """The listeners of one service, and its problems by what is refused."""

    listeners: list[Listener] = field(default_factory=list)
    problems: Problems = field(default_factory=dict)
    # Of records that are served, but not as they ask: only worth a word if nothing worse is wrong.
    oddities: Problems = field(default_factory=dict)


def listeners_of(given: ServiceInput, rules: HostRules) -> ServiceListeners:
    """Return the listeners of a service, in the order of its ports."""
    found = ServiceListeners()
    _refuse_portless(given, found.problems)

    for port in given.ports:
        binds = _binds_of(given, port, rules, found.problems)
        if binds or port.routes:
            _add_listener(found, given.service, port.port, binds, port.routes, rules)

    if given.portless_routes:
        _add_listener(found, given.service, NO_PORT, (), given.portless_routes, rules)

    return found


def _add_listener(
    found: ServiceListeners,
    service: Service,
    port: int,
    binds: tuple[Bind, ...],
    routes: tuple[str, ...],
    rules: HostRules,
) -> None:
    records = records_on(service, port)
    group = group_of(records.values())
    listener = listener_of(group, port, binds, rules.interval_ms, rules.location)

    found.listeners.append(replace(listener, routes=routes))
    found.oddities.update(odd_in(records, first=group[0]))


def _binds_of(
    given: ServiceInput, port: PortInput, rules: HostRules, problems: Problems
) -> tuple[Bind, ...]:
    """Return the addresses to listen on for a port; none if it is another's, reserved or in use."""
    url = url_of(rules.door, port.routes) if rules.door and port.routes else ""
    reached = f"; it is reached at {url}" if url else ""

    if port.owner != given.name:
        _refuse_claimed(given, port, reached, problems)
        return ()

    reserved = _reserved(rules, port.port)
    if reserved is not None:
        _refuse_reserved(given.name, port.port, reserved, reached, problems)
        return ()

    wanted = [Bind(host, port.port) for host in rules.hosts]
    _refuse_unusable(given.name, port, wanted, reached, problems)
    return tuple(bind for bind in wanted if bind not in port.unusable)


def _refuse_portless(given: ServiceInput, problems: Problems) -> None:
    if not given.service.portless:
        return

    records = given.service.records
    needing = [
        key
        for key in given.service.portless
        if not (given.portless_routes and records[key].instance.port_reserved)
    ]
    why = given.unclaimed or "one is being claimed from PORT_RANGE"
    problem = because("NO_SERVICE_PORT", f"{given.name} has no service port: {why}")

    # Claiming a port takes some milliseconds: that is no news.
    problem = replace(problem, quiet=given.unclaimed is None)
    problems.update(dict.fromkeys(needing, problem))


def _refuse_claimed(given: ServiceInput, port: PortInput, reached: str, problems: Problems) -> None:
    since = told(port.held) or ", which claimed or named it first"
    owner = f"{port.owner}{since}{reached}"

    for key, record in records_on(given.service, port.port).items():
        # What the operator wrote has the words of the services file, not labels.
        in_file = record.created == OLDEST
        right = f"choose another with {'port:' if in_file else 'SERVICE_PORT'}"
        if port.held is not None and not in_file:
            right = f"{right}, or take it with {hand_over_of(port.port, given.name)}"
        text = f"service port {port.port} belongs to {owner}; {right}"
        problem = because("PORT_CLAIMED", f"{given.name} has no listener: {text}")

        # Most http services live behind the door, without a port of their own.
        problems[key] = replace(problem, quiet=bool(port.routes))


class _Reserved(NamedTuple):
    """What one of HAProxy's own ports is for, and the setting that names it."""

    purpose: str
    setting: str


def _reserved(rules: HostRules, port: int) -> _Reserved | None:
    """Return what a port is for, if it is one of HAProxy's own or kept for the host."""
    process = rules.process
    if process.stats and port == process.stats.port:
        return _Reserved("the stats page's", "STATS")

    if any(port == bind.port for bind in (process.door.binds if process.door else ())):
        return _Reserved("the port of all http services", "HTTP_BIND")

    return _Reserved("reserved on this host", "RESERVED_PORTS") if port in rules.reserved else None


def _refuse_reserved(
    name: str, port: int, reserved: _Reserved, reached: str, problems: Problems
) -> None:
    right = (
        "set another SERVICE_PORT (port: in the services file),"
        f" or {reserved.setting} of docker-discover"
    )
    text = f"service port {port} is {reserved.purpose}; {right}{reached}"
    problems[f"{name}:{port}"] = because("PORT_RESERVED", f"{name} has no listener: {text}")


def _refuse_unusable(
    name: str, port: PortInput, wanted: Iterable[Bind], reached: str, problems: Problems
) -> None:
    for bind in wanted:
        why = port.unusable.get(bind)
        if why is not None:
            code: Code = "PORT_YIELDED" if isinstance(why, Yielded) else "PORT_IN_USE"
            text = f"{name} has no listener on {bind}: {why}{reached}"
            problems[f"{name}:{port.port} on {bind.host}"] = because(code, text)
