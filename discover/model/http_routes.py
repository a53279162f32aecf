"""Which hosts and paths lead to which service through the door, the one port for all. No I/O.

A key is a host and the beginning of a path, with a slash at its end. HAProxy finds the longest key
that a request begins with, and `/api` must not match `/apiary`. A host that begins with `*.` stands
for all hosts with one label more.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from catalog.records.record import Instance
from discover.model.ownership import OLDEST, Problems
from discover.model.proxy_config import NO_PORT, UNKNOWN_BACKEND, Door, ProxyConfig, ServicePort
from discover.reasons import because
from discover.snapshot.belongs import Held, Holds
from discover.snapshot.holds import hand_over_of, route_key, told
from discover.snapshot.snapshot import Record, Service
from sidecar.status.problems import Problem

HTTP_PORT = 80
HOST_NAME_MAX = 253  # characters, as in HOST_NAME of catalog/values/rules.py

# The keys that lead to each service port.
Routes = Mapping[ServicePort, tuple[str, ...]]


class RouteRequest(NamedTuple):
    """One key that a service asks for, and the oldest of its records that does."""

    key: str
    port: int
    created: int
    record: str


@dataclass(frozen=True, slots=True)
class RouteRequests:
    """All keys that one service asks for, and which of its records ask in vain."""

    routes: tuple[RouteRequest, ...]
    problems: Mapping[str, Problem]


class _Contender(NamedTuple):
    """A service that asks for a key; the one that holds it gets it, else the oldest."""

    created: int
    service: str
    request: RouteRequest


def route_requests(name: str, service: Service, domain: str) -> RouteRequests:
    """Return which keys a service asks for: those its records declare, and its own name."""
    records = http_records(service)
    oldest: dict[str, RouteRequest] = {}

    def add(key: str, record_key: str, record: Record) -> None:
        port = record.instance.service_port or NO_PORT
        request = RouteRequest(key, port, record.created, record_key)
        oldest[key] = min(oldest.get(key, request), request, key=_request_age)

    for record_key, record in records.items():
        for key in route_keys(record.instance, domain):
            add(key, record_key, record)

    # A record with paths alone asks for no more of the service's own name than these paths.
    whole = [
        item for item in records.items() if item[1].instance.hosts or not item[1].instance.paths
    ]
    own_name = _own_name(name, domain)
    if own_name and whole:
        record_key, record = min(whole, key=_record_age)
        add(f"{own_name}/", record_key, record)

    return RouteRequests(tuple(oldest.values()), _needing_http(name, service, records))


def assigned_routes(
    requested: Mapping[str, RouteRequests], holds: Holds, problems: Problems
) -> Routes:
    """Return the keys that lead to each service port.

    A key that is held leads to its holder alone, or to what this host's services file sets up. Of
    several services that ask for one that is not held yet, the oldest record gets it. `problems`
    names those that do not get theirs.
    """
    given: dict[str, _Contender] = {}
    losers: list[_Contender] = []

    for service, requests in requested.items():
        for request in requests.routes:
            contender = _Contender(request.created, service, request)
            held = holds.get(route_key(request.key))
            is_from_file = request.created == OLDEST
            if held is not None and held.holder != service and not is_from_file:
                losers.append(contender)
                continue

            other = given.setdefault(request.key, contender)
            if other is contender:
                continue

            older, younger = sorted((other, contender))
            given[request.key] = older
            losers.append(younger)

    for loser in losers:
        key = loser.request.key
        owner, held = given.get(key), holds.get(route_key(key))
        right = "choose another name or path"
        if held is not None and not _is_from_file(owner):
            right = f"{right}, or take it with {hand_over_of(key, loser.service)}"
        seen = f"{loser.service} is not reachable at {key}"
        text = f"{seen}: it belongs to {_owner_told(owner, held)}; {right}"
        problems[f"{loser.service} at {key}"] = because("HOST_CLAIMED", text)

    return _by_service_port(given)


def _is_from_file(contender: _Contender | None) -> bool:
    return contender is not None and contender.created == OLDEST


def _owner_told(contender: _Contender | None, held: Held | None) -> str:
    if contender is not None and _is_from_file(contender):
        return f"{contender.service}, of the services file"
    if held is not None:
        return f"{held.holder}{told(held)}"
    return f"{contender.service}, which named it first" if contender else "no service"


def _by_service_port(given: Mapping[str, _Contender]) -> Routes:
    routes: dict[ServicePort, tuple[str, ...]] = {}
    for key, contender in sorted(given.items()):
        service_port = (contender.service, contender.request.port)
        routes[service_port] = (*routes.get(service_port, ()), key)

    return routes


def route_keys(instance: Instance, domain: str) -> Iterator[str]:
    """Yield the keys that one record declares; paths without hosts belong to the service's name."""
    own_name = _own_name(instance.service, domain) if instance.paths else ""

    for host in instance.hosts or ((own_name,) if own_name else ()):
        for path in instance.paths or ("/",):
            yield f"{host}{path.rstrip('/')}/"


def _own_name(service: str, domain: str) -> str:
    """Return the host name of a service; empty if it has none, or one longer than DNS takes."""
    name = f"{service}.{domain}" if domain else ""
    return name if len(name) <= HOST_NAME_MAX else ""


def http_records(service: Service) -> Mapping[str, Record]:
    """Return the records of service ports in http mode; the oldest real one of a port decides."""
    deciding: dict[int | None, tuple[str, Record]] = {}
    for item in service.records.items():
        port = item[1].instance.service_port
        deciding[port] = min(deciding.get(port, item), item, key=_precedence)

    http_ports = {port for port, item in deciding.items() if item[1].instance.mode == "http"}
    return {
        key: record
        for key, record in service.records.items()
        if record.instance.service_port in http_ports
    }


def _precedence(item: tuple[str, Record]) -> tuple[str, int, str]:
    key, record = item
    # "real" sorts before "stub".
    return record.instance.role, record.created, key


def _needing_http(name: str, service: Service, http: Mapping[str, Record]) -> Problems:
    """Return which records declare hosts or paths that only http could tell apart."""
    problems: Problems = {}
    for key, record in service.records.items():
        declared = (*record.instance.hosts, *record.instance.paths)
        if declared and key not in http:
            text = (
                f"{name} is not reachable at {declared[0]}: "
                "it is in tcp mode; set SERVICE_MODE=http"
            )
            problems[f"{key} hosts"] = because("HOSTS_NEED_HTTP", text)

    return problems


def url_of(door: Door, keys: Iterable[str]) -> str:
    """Return the URL that a caller would write for the first key, if possible without wildcard."""
    first = min(keys, key=lambda key: (key.startswith("*"), key))
    host, _, path = first.partition("/")
    return f"http://{host}{door_port_suffix(door)}/{path}"


def door_port_suffix(door: Door | None) -> str:
    """Return what follows the host name in a URL that leads to the door."""
    port = door.binds[0].port if door and door.binds else HTTP_PORT
    return "" if port == HTTP_PORT else f":{port}"


def door_map(config: ProxyConfig) -> Mapping[str, str]:
    """Return the door's map: the backend of each key.

    A backend with canaries also has a key of its own: `<backend>?<header>=<value>/`.
    """
    backends = dict.fromkeys(config.given_up, UNKNOWN_BACKEND)

    for listener in config.listeners:
        for key in listener.routes:
            backends.setdefault(key, listener.name)

        if listener.routes and listener.canary:
            header = listener.canary.name.lower()
            value = f"{listener.canary.value}/" if listener.canary.value else ""
            backends[f"{listener.name}?{header}={value}"] = f"{listener.name}:canary"

    backends.update(_intercepted(config))
    return backends


def _intercepted(config: ProxyConfig) -> Iterator[tuple[str, str]]:
    """Yield what leads calls to those who intercept them.

    `<listener>+` says that there is such a thing, `<listener>!<calls>` where these calls go, and
    `<backend>+` who wants them.
    """
    placed = {(each.service, each.port): each for each in config.listeners if config.intercepts}

    for each in config.intercepts:
        listener = placed.get((each.service, each.port))
        if listener is None or not each.backend:
            continue

        yield f"{each.backend}+", each.by
        if each.kind == "tcp":
            yield f"{listener.name}+", each.backend
        else:
            yield f"{listener.name}+", each.service
            yield f"{listener.name}!{each.calls}", each.backend


def missing_door(door: Door | None, routes: Mapping[str, str] | None) -> Mapping[str, Problem]:
    """Return the problem that HAProxy shall have a door, but what it runs has no map for one."""
    if door is None or routes is not None:
        return {}

    text = (
        "no http services at HTTP_BIND:"
        " the template in use has no block `door`; add the one of the shipped template"
    )
    return {"HTTP_BIND": because("NO_DOOR", text)}


def _record_age(item: tuple[str, Record]) -> tuple[int, str]:
    key, record = item
    return record.created, key


def _request_age(request: RouteRequest) -> tuple[int, str]:
    return request.created, request.record
