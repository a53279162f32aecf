"""Which hosts and paths lead to which service through the one port for all of them. No I/O.

A key is a host and the beginning of a path, with a slash at its end: HAProxy finds the longest one that a request
begins with, and `/api` is no beginning of `/apiary`. The host may begin with `*.`, which stands for one label.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from catalog.record import Instance
from discover.model.config import Door, ProxyConfig
from discover.model.names import NO_PORT, ServicePort
from discover.model.ownership import Problems
from discover.reasons import because
from discover.snapshot.snapshot import Record, Service
from sidecar.status.problems import Problem

HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Wish:
    """A way by which a service wants to be reached, and the oldest record that asks for it."""

    key: str
    port: int
    created: int
    record: str


Wishes = tuple[Wish, ...]


class Wished:
    """What each service wished at the build before: one that is the same object wishes the same."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Service, str, Wishes, Problems]] = {}

    def all(
        self, services: Mapping[str, Service], domain: str, problems: Problems
    ) -> Iterator[tuple[str, Wishes]]:
        """Yield each service's name and wishes; `problems` gets which records wish in vain."""
        before, self._of = self._of, {}
        for name, service in services.items():
            found = before.get(name)
            if found is None or found[0] is not service or found[1] != domain:
                found = (
                    service,
                    domain,
                    tuple(wishes_of(name, service, domain)),
                    unreached(name, service),
                )
            self._of[name] = found
            problems.update(found[3])
            yield name, found[2]


def granted(
    wished: Iterable[tuple[str, Wishes]], problems: Problems
) -> Mapping[ServicePort, tuple[str, ...]]:
    """Return the keys that lead to each service port: of several that want one, the oldest record keeps it."""
    owners: dict[str, tuple[int, str, Wish]] = {}
    losers: list[tuple[str, Wish]] = []
    for name, wishes in wished:
        for wish in wishes:
            other = owners.get(wish.key)
            if other is None or (wish.created, name) < other[:2]:
                owners[wish.key] = (wish.created, name, wish)
                losers += [(other[1], other[2])] if other else []
            else:
                losers.append((name, wish))
    for name, wish in losers:
        text = f"{name} is not reached at {wish.key}: {owners[wish.key][1]} named it first"
        problems[f"{name} at {wish.key}"] = because("HOST_CLAIMED", text)
    routes: dict[ServicePort, tuple[str, ...]] = {}
    for key, (_, name, wish) in sorted(owners.items()):
        routes[name, wish.port] = (*routes.get((name, wish.port), ()), key)
    return routes


def wishes_of(name: str, service: Service, domain: str) -> Iterable[Wish]:
    """Return what a service wishes: the hosts and paths of its records, and its own name under the domain."""
    found: dict[str, Wish] = {}
    records = http_records(service)
    for key, record in records:
        port = record.instance.service_port or NO_PORT
        for wanted in keys_of(record.instance, domain):
            wish = Wish(wanted, port, record.created, key)
            found[wanted] = min(found.get(wanted, wish), wish, key=_age)
    # A record with paths alone wants no more of the service's own name than those.
    whole = [
        (key, record)
        for key, record in records
        if record.instance.hosts or not record.instance.paths
    ]
    if domain and whole:
        key, record = min(whole, key=lambda item: (item[1].created, item[0]))
        own = Wish(
            f"{name}.{domain}/", record.instance.service_port or NO_PORT, record.created, key
        )
        found[own.key] = min(found.get(own.key, own), own, key=_age)
    return found.values()


def keys_of(instance: Instance, domain: str) -> Iterator[str]:
    """Yield the keys that one record declares; paths without hosts are those of the service's own name."""
    own = (f"{instance.service}.{domain}",) if domain and instance.paths else ()
    for host in instance.hosts or own:
        for path in instance.paths or ("/",):
            yield f"{host}{path.rstrip('/')}/"


def http_records(service: Service) -> list[tuple[str, Record]]:
    """Return the records of service ports in http mode, by the word of the oldest real one of each port."""
    first: dict[int | None, tuple[tuple[str, int, str], str]] = {}
    for key, record in service.records.items():
        it = record.instance
        mine = ((it.role, record.created, key), it.mode)  # "real" sorts before "stub"
        first[it.service_port] = min(first.get(it.service_port, mine), mine)
    return [
        (k, r) for k, r in service.records.items() if first[r.instance.service_port][1] == "http"
    ]


def unreached(name: str, service: Service) -> Problems:
    """Return which records declare hosts or paths that only http could tell apart."""
    problems: Problems = {}
    http = {key for key, _ in http_records(service)}
    for key, record in service.records.items():
        if key not in http and (asked := (*record.instance.hosts, *record.instance.paths)):
            text = f"{name} is not reached at {asked[0]}: it is in tcp mode; set SERVICE_MODE=http"
            problems[f"{key} hosts"] = because("HOSTS_NEED_HTTP", text)
    return problems


def url_of(door: Door, keys: Iterable[str]) -> str:
    """Return what a caller would write for the first of these keys, if possible one without a wildcard."""
    host, _, path = min(keys, key=lambda key: (key.startswith("*"), key)).partition("/")
    return f"http://{host}{door_port_suffix(door)}/{path}"


def door_port_suffix(door: Door | None) -> str:
    """Return what comes after a host name in a URL that leads to the door."""
    port = door.binds[0].port if door and door.binds else HTTP_PORT
    return "" if port == HTTP_PORT else f":{port}"


def map_of(config: ProxyConfig) -> Mapping[str, str]:
    """Return the map: each key and the backend that it leads to; and for a backend and a header, its canaries."""
    found: dict[str, str] = {}
    for listener in config.listeners:
        for key in listener.routes:
            found.setdefault(key, listener.name)
        if listener.routes and listener.canary:
            value = f"{listener.canary.value}/" if listener.canary.value else ""
            found[f"{listener.name}?{listener.canary.name.lower()}={value}"] = (
                f"{listener.name}:canary"
            )
    return found


def missing_door(door: Door | None, routes: Mapping[str, str] | None) -> Mapping[str, Problem]:
    """Return that what runs has no map, though there shall be a door."""
    if door is None or routes is not None:
        return {}
    text = "no http services at HTTP_BIND: the template in use lacks the block `door` of the shipped one"
    return {"HTTP_BIND": because("NO_DOOR", text)}


def _age(wish: Wish) -> tuple[int, str]:
    return wish.created, wish.record
