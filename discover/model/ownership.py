"""Which record may be called, and which service has a port. No I/O.

These rules keep one service's callers away from another's instances: an address:port belongs to the newest record, as
its host gave the port away again; nothing that HAProxy itself listens on is an instance; and a service port belongs to
the service that has it, else to the one whose claim or oldest record named it first. A claim holds while its service
is away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from discover.model.config import Bind
from discover.reasons import because
from discover.snapshot.snapshot import Claim, Record, Service
from sidecar.status.problems import Problem

OLDEST = 0  # the revision that a file's records count with, older than any of etcd: the file is the operator's word

Services = Mapping[str, Service]
Problems = dict[str, Problem]
NO_CLAIMS: Mapping[str, Claim] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Listening:
    """What HAProxy listens on now: which service has which port, and every address."""

    holders: Mapping[int, str] = field(default_factory=dict)
    binds: frozenset[Bind] = frozenset()


NOTHING = Listening()


class Ownership:
    """What `rightful` and `owners_of` say, in time for the services that changed while nothing is in dispute."""

    def __init__(self) -> None:
        self._given: tuple[Services, Listening, Mapping[str, Claim]] | None = (
            None  # None: something was in dispute
        )
        self._owners: Mapping[int, str] = {}
        self._endpoints: set[tuple[str, int]] = set()

    def settled(
        self,
        services: Services,
        listening: Listening,
        claims: Mapping[str, Claim],
        problems: Problems,
    ) -> tuple[Services, Mapping[int, str]]:
        """Return the services with those records that may be called, and which service each port belongs to.

        The latter is the same object as long as nothing of it can have changed.
        """
        if not self._stays_undisputed(services, listening, claims):
            kept = rightful(services, listening.binds, problems)
            self._owners = owners_of(kept, listening.holders, claims)
            self._endpoints = _endpoints(services)
            alone = len(self._endpoints) == _records(services)
            undisputed = alone and all(kept[name] is service for name, service in services.items())
            self._given = (services, listening, claims) if undisputed else None
            return kept, self._owners
        self._given = (services, listening, claims)
        return services, self._owners

    def _stays_undisputed(
        self, services: Services, listening: Listening, claims: Mapping[str, Claim]
    ) -> bool:
        if self._given is None:
            return False
        before, *others = self._given
        if others != [listening, claims] or before.keys() != services.keys():
            return False
        changed = [
            (before[name], service)
            for name, service in services.items()
            if before[name] is not service
        ]
        return all(self._fits(old, new, listening) for old, new in changed)

    def _fits(self, old: Service, new: Service, listening: Listening) -> bool:
        """Whether a service in another form disputes nobody anything."""
        if old.ports.keys() != new.ports.keys() or len(new.names) != len(new.records):
            return False
        # Who has a port keeps it, however young its records are by now.
        holders, aged = (
            listening.holders,
            {port for port, at in new.ports.items() if at != old.ports[port]},
        )
        if any(holders.get(port) != self._owners[port] for port in aged):
            return False
        self._endpoints -= old.endpoints
        new_ones = len(self._endpoints) + len(new.records)
        self._endpoints |= new.endpoints
        own = {Bind(*endpoint) for endpoint in new.endpoints - old.endpoints}
        return len(self._endpoints) == new_ones and own.isdisjoint(listening.binds)


def rightful(services: Services, own: frozenset[Bind], problems: Problems) -> Services:
    """Return the services with those records that may be called."""
    return _one_per_endpoint(
        _one_per_name(_not_ourselves(services, own, problems), problems), problems
    )


def _not_ourselves(services: Services, own: frozenset[Bind], problems: Problems) -> Services:
    """Return the services without records that lead back to HAProxy: a call would go in circles, or elsewhere.

    A program on the host's network that could not have its port, as HAProxy has it, seems to listen there.
    """
    addresses = {(bind.host, bind.port) for bind in own}
    kept = dict(services)
    for name, service in services.items():
        if addresses.isdisjoint(service.endpoints):
            continue
        circling = {key for key, record in service.records.items() if record.endpoint in addresses}
        for key in circling:
            address, port = service.records[key].endpoint
            text = f"{name} is announced at {address} port {port}, where HAProxy itself listens"
            problems[key] = because("OWN_ADDRESS", f"hidden: {text}")
        kept[name] = _without(service, circling)
    return kept


def _one_per_endpoint(services: Services, problems: Problems) -> Services:
    """Return the services without records whose address another, newer record announces too.

    Those of the operator's file do not displace each other: one old server may well be two services.
    """
    if len(_endpoints(services)) == _records(services):
        return services
    here: dict[tuple[str, int], list[tuple[str, Record]]] = {}
    hidden: dict[str, set[str]] = {}
    records = (
        (key, record) for service in services.values() for key, record in service.records.items()
    )
    for key, record in sorted(records, key=lambda item: (item[1].created, item[0])):
        for where, older in here.pop(record.endpoint, []) if record.created != OLDEST else []:
            text = f"{record.endpoint[0]} port {record.endpoint[1]} was announced again"
            problems[where] = because(
                "ADDRESS_REUSED", f"hidden: {text}, by {record.key.service} {record.key.name}"
            )
            hidden.setdefault(older.key.service, set()).add(where)
        here.setdefault(record.endpoint, []).append((key, record))
    return {name: _without(service, hidden.get(name, set())) for name, service in services.items()}


def _endpoints(services: Services) -> set[tuple[str, int]]:
    return set().union(*(service.endpoints for service in services.values()))


def _records(services: Services) -> int:
    return sum(len(service.records) for service in services.values())


def _without(service: Service, keys: set[str]) -> Service:
    return (
        Service.of({k: r for k, r in service.records.items() if k not in keys}) if keys else service
    )


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


def owners_of(
    services: Services, holders: Mapping[int, str], claims: Mapping[str, Claim] = NO_CLAIMS
) -> Mapping[int, str]:
    """Return which service each port belongs to: who has it, else whose claim or record came first, else by name."""
    first: dict[int, tuple[int, str]] = {}
    for name, claim in claims.items():
        first[claim.port] = min(first.get(claim.port, (claim.created, name)), (claim.created, name))
    for name, service in services.items():
        for port, created in service.ports.items():
            first[port] = min(first.get(port, (created, name)), (created, name))
    owners = {port: name for port, (_, name) in first.items()}
    kept = {
        port: name
        for port, name in holders.items()
        if name in services and port in services[name].ports
    }
    return owners | kept
