"""Which records may be called, and which service has a port. No I/O.

These rules keep one service's callers away from another's instances:
- An address:port belongs to the newest record, because its host gave that port away again.
- An address that HAProxy itself listens on is no instance.
- A service port belongs to the service that holds or claims it in etcd, also while that is away.
  Until the hold is written, it belongs to the service that has it here, else to the one with the
  oldest record.
- A default name belongs to the origin that holds it, else to that of the oldest record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from discover.model.origins import one_origin_per_name
from discover.model.proxy_config import Bind
from discover.reasons import because
from discover.snapshot.belongs import Claim, Holds
from discover.snapshot.holds import held_ports
from discover.snapshot.snapshot import Record, Service
from sidecar.memo import Memo
from sidecar.status.problems import Problem

# The revision of the services file's records, older than any in etcd: the operator's word counts.
OLDEST = 0

Services = Mapping[str, Service]
Problems = dict[str, Problem]
NO_HOLDS: Holds = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Listening:
    """What HAProxy listens on now: which service has which port, and every address.

    A service that lost its last instance a short while ago still has its port.
    """

    holders: Mapping[int, str] = field(default_factory=dict)
    binds: frozenset[Bind] = frozenset()


NOTHING = Listening()


class _Inputs(NamedTuple):
    services: Services
    listening: Listening
    claims: Mapping[str, Claim]
    holds: Holds


class _Keyed(NamedTuple):
    """A record with its etcd key."""

    key: str
    record: Record


class Ownership:
    """Settles disputes among services; while there are none, only services that changed take time.

    This is more than a memo: a changed service that disputes nothing leaves all others as they are.
    """

    def __init__(self) -> None:
        # What the last call was given; None if something in it was in dispute.
        self._undisputed: _Inputs | None = None
        self._held = Memo(held_ports)
        self._owners: Mapping[int, str] = {}
        self._endpoints: set[tuple[str, int]] = set()

    def resolve(
        self,
        services: Services,
        listening: Listening,
        claims: Mapping[str, Claim],
        holds: Holds,
        problems: Problems,
    ) -> tuple[Services, Mapping[int, str]]:
        """Return the services with the records that may be called, and the owner of each port.

        The owners are the same object as long as none of them can have changed.
        """
        held = self._held.get(holds)
        inputs = _Inputs(services, listening, claims, holds)
        if self._undisputed is not None and self._adds_no_dispute(self._undisputed, inputs):
            self._undisputed = inputs
            return services, self._owners

        kept = callable_services(services, listening.binds, holds, problems)
        self._owners = owners_of(kept, listening.holders, claims, held)
        self._endpoints = _endpoints(services)

        alone = len(self._endpoints) == _count_records(services)
        complete = all(kept[name] is service for name, service in services.items())
        self._undisputed = inputs if alone and complete else None
        return kept, self._owners

    def _adds_no_dispute(self, before: _Inputs, now: _Inputs) -> bool:
        if before.listening != now.listening or before.holds != now.holds:
            return False

        if before.claims != now.claims:
            return False

        if before.services.keys() != now.services.keys():
            return False

        last = before.services
        changed = [name for name, service in now.services.items() if last[name] is not service]
        return all(self._disputes_nothing(last[name], now.services[name], now) for name in changed)

    def _disputes_nothing(self, last: Service, service: Service, now: _Inputs) -> bool:
        """Whether a changed service takes no port, name or address from any other."""
        if last.ports.keys() != service.ports.keys() or last.origins != service.origins:
            return False

        if len(service.names) != len(service.records):
            return False

        # A service that has a port keeps it, however young its records are by now; but what the
        # services file sets up has a right of its own.
        aged = [port for port, created in service.ports.items() if created != last.ports[port]]
        if any(OLDEST in (service.ports[port], last.ports[port]) for port in aged):
            return False

        held, holders = self._held.get(now.holds), now.listening.holders
        if any(held.get(port, holders.get(port)) != self._owners[port] for port in aged):
            return False

        self._endpoints -= last.endpoints
        if_all_differ = len(self._endpoints) + len(service.records)
        self._endpoints |= service.endpoints

        new_binds = {Bind(*endpoint) for endpoint in service.endpoints - last.endpoints}
        return len(self._endpoints) == if_all_differ and new_binds.isdisjoint(now.listening.binds)


def callable_services(
    services: Services, own: frozenset[Bind], holds: Holds, problems: Problems
) -> Services:
    """Return the services with the records that may be called; `own` is what HAProxy listens on."""
    services = one_origin_per_name(services, holds, problems)
    services = _without_own_addresses(services, own, problems)
    services = _one_record_per_name(services, problems)
    return _one_record_per_endpoint(services, problems)


def _without_own_addresses(
    services: Services, own: frozenset[Bind], problems: Problems
) -> Services:
    """Return the services without records that lead back to HAProxy: calls would go in circles.

    Such a record is announced for a program on the host's network that could not get its port,
    because HAProxy has it.
    """
    addresses = {(bind.host, bind.port) for bind in own}
    kept = dict(services)

    for name, service in services.items():
        if addresses.isdisjoint(service.endpoints):
            continue

        circling = {key for key, record in service.records.items() if record.endpoint in addresses}
        for key in circling:
            address, port = service.records[key].endpoint
            seen = f"{name} is announced at {address} port {port}, where HAProxy itself listens"
            right = "give the program another port, or the service on this one another SERVICE_PORT"
            text = f"{seen}: {right}"
            problems[key] = because("OWN_ADDRESS", f"hidden: {text}")

        kept[name] = _without(service, circling)

    return kept


def _one_record_per_name(services: Services, problems: Problems) -> Services:
    """Return the services without records of a container that another host announced later."""
    kept = dict(services)
    for name, service in services.items():
        if len(service.names) != len(service.records):
            kept[name] = _newest_per_name(name, service, problems)

    return kept


def _newest_per_name(name: str, service: Service, problems: Problems) -> Service:
    newest: dict[str, _Keyed] = {}

    for key, record in sorted(service.records.items(), key=_age):
        older = newest.get(record.key.name)
        if older is not None:
            text = f"{name} {record.key.name} is also announced by host {record.key.host}"
            problems[older.key] = because("ADDRESS_REUSED", f"hidden: {text}")

        newest[record.key.name] = _Keyed(key, record)

    return Service.of(dict(newest.values()))


def _one_record_per_endpoint(services: Services, problems: Problems) -> Services:
    """Return the services without records whose address:port a newer record announces.

    Records of the services file hide no other: one old server may well be two services.
    """
    if len(_endpoints(services)) == _count_records(services):
        return services

    records = [item for service in services.values() for item in service.records.items()]
    shown: dict[tuple[str, int], list[_Keyed]] = {}
    hidden: dict[str, set[str]] = {}

    for key, record in sorted(records, key=_age):
        if record.created != OLDEST:
            for older in shown.pop(record.endpoint, []):
                problems[older.key] = _announced_again(record)
                hidden.setdefault(older.record.key.service, set()).add(older.key)

        shown.setdefault(record.endpoint, []).append(_Keyed(key, record))

    return {name: _without(service, hidden.get(name, set())) for name, service in services.items()}


def _announced_again(newer: Record) -> Problem:
    address, port = newer.endpoint
    text = f"{address} port {port} was announced again, by {newer.key.service} {newer.key.name}"
    return because("ADDRESS_REUSED", f"hidden: {text}")


def _age(item: tuple[str, Record]) -> tuple[int, str]:
    key, record = item
    return record.created, key


def _endpoints(services: Services) -> set[tuple[str, int]]:
    return set().union(*(service.endpoints for service in services.values()))


def _count_records(services: Services) -> int:
    return sum(len(service.records) for service in services.values())


def _without(service: Service, keys: set[str]) -> Service:
    if not keys:
        return service

    return Service.of({key: record for key, record in service.records.items() if key not in keys})


class _Right(NamedTuple):
    """A service's right to a port; the oldest wins, then the first by name."""

    since: int
    service: str


def owners_of(
    services: Services,
    holders: Mapping[int, str],
    claims: Mapping[str, Claim],
    held: Mapping[int, str],
) -> Mapping[int, str]:
    """Return the service that each port belongs to.

    `held` says it for all hosts. Until then, a service that has a port now keeps it. What the
    services file of this host sets up has its port here, whoever holds it on other hosts, unless
    another service has the port here already.
    """
    rights: dict[int, _Right] = {}
    for name, claim in claims.items():
        right = _Right(claim.created, name)
        rights[claim.port] = min(rights.get(claim.port, right), right)

    for name, service in services.items():
        for port, created in service.ports.items():
            right = _Right(created, name)
            rights[port] = min(rights.get(port, right), right)

    owners = {port: right.service for port, right in rights.items()}
    owners |= {port: holder for port, holder in holders.items() if port in owners}

    for port, holder in held.items():
        if not _is_from_file(services.get(owners.get(port, "")), port):
            owners[port] = holder

    return owners


def _is_from_file(service: Service | None, port: int) -> bool:
    return service is not None and service.ports.get(port) == OLDEST
