"""Which port a service has for good: which claims count, and which number is claimed next. No I/O.

A claim outlives its service, so that callers can hard-code the port. A claim that the store lost
with all else (a wipe, an old backup) counts on here and is put again. A claim that is gone alone
was deleted on purpose, and counts on only while its service asks for a port.
"""

import zlib
from collections.abc import Callable, Container, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from catalog.values.rules import PORT_MAX
from discover.snapshot.belongs import Claim
from discover.snapshot.snapshot import Record, Service, Snapshot
from sidecar.memo import MemoByName

ClaimsByService = Mapping[str, Claim]


@dataclass(frozen=True, slots=True)
class PortRange:
    """The numbers to claim from, both ends included."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"

    def __len__(self) -> int:
        return self.high - self.low + 1

    def tried_by(self, service: str) -> Iterator[int]:
        """Yield all numbers, beginning with one made from the name: so collisions are rare."""
        first = zlib.crc32(service.encode())
        return (self.low + (first + step) % len(self) for step in range(len(self)))


def port_range(text: str) -> PortRange:
    """Return the range in `10000-10999`. Raises Rejected."""
    low, _, high = text.replace(" ", "").partition("-")
    if not (low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
        raise Rejected(f"{text!r} is not a range of ports such as 10000-10999")
    if not 1 <= int(low) <= int(high) <= PORT_MAX:
        raise Rejected(
            f"{text!r} is not a range of ports: the first at least 1, the last at most {PORT_MAX}"
        )
    return PortRange(int(low), int(high))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be claimed: numbers that the store lost, and services that need any number."""

    lost: Mapping[str, int]
    portless: Set[str]

    @property
    def services(self) -> Set[str]:
        """All that lack a claim."""
        return self.lost.keys() | self.portless


@dataclass(frozen=True, slots=True)
class AtDoor:
    """Which records this host's door leads to: all of them in http mode if it has a domain."""

    domain: str

    def leads_to(self, record: Record) -> bool:
        """Whether a record that asks for no port needs none."""
        instance = record.instance
        is_named = bool(instance.hosts or self.domain)
        return instance.port_reserved and instance.mode == "http" and is_named


def wanted(
    catalog: Snapshot,
    stored: Snapshot,
    outside: Set[str] = frozenset(),
    door: AtDoor | None = None,
) -> Wanted:
    """Return what to claim: of what is believed, the store may have `stored` less.

    The services `outside` of etcd need a number too; one that asked for none, and that the door
    leads to, does not.
    """
    lost = {name: claim.port for name, claim in catalog.claims.items() if name not in stored.claims}
    portless = {
        name
        for name, service in catalog.services.items()
        if service.portless and _needs_number(service, door)
    }
    portless |= outside
    return Wanted(lost, frozenset(portless - stored.claims.keys()))


def _needs_number(service: Service, door: AtDoor | None) -> bool:
    records = [service.records[key] for key in service.portless]
    if door is not None and all(map(door.leads_to, records)):
        return False
    return not all(named_port(service, record) for record in records)


def named_port(service: Service, record: Record) -> int | None:
    """Return the port of a record that asked for none but has the one that its service names."""
    instance = record.instance
    is_named = instance.port_reserved and instance.container_port in service.ports
    return instance.container_port if is_named else None


def choose(
    wanted: Wanted,
    claims: ClaimsByService,
    within: PortRange,
    *,
    avoid: Container[int],
    usable: Callable[[int], bool],
) -> Mapping[str, int]:
    """Return a number for each service without a claim, none twice; a small range gives fewer.

    Lost numbers come first, whatever else speaks against them: callers have hard-coded them.
    """
    taken = {claim.port for claim in claims.values()}
    chosen: dict[str, int] = {}
    for name, port in sorted(wanted.lost.items()):
        if name not in claims and port not in taken:
            chosen[name] = port
            taken.add(port)

    for name in sorted(wanted.portless - claims.keys() - chosen.keys()):
        free = (
            port
            for port in within.tried_by(name)
            if port not in taken and port not in avoid and usable(port)
        )
        free_port = next(free, None)
        if free_port is None:
            break  # nor is there one for any other service
        chosen[name] = free_port
        taken.add(free_port)

    return chosen


def believed_claims(
    before: Snapshot, stored_before: Snapshot, stored: Snapshot, *, wiped: bool
) -> ClaimsByService:
    """Return the claims that count: those `stored`, and those that the store lost, to be put again.

    `before` is what was believed of `stored_before`.
    """
    if before.claims.keys() <= stored.claims.keys():
        return stored.claims

    # Claims are under no lease: only when the store of a single host is wiped do they leave
    # together with the last host.
    wiped = wiped or bool(before.owners and not stored.owners)
    taken = {claim.port for claim in stored.claims.values()}
    kept = {
        name: claim
        for name, claim in before.claims.items()
        if name not in stored.claims
        and claim.port not in taken
        and (wiped or name not in stored_before.claims or _asks_for_port(stored, name))
    }
    return {**stored.claims, **kept}


def _asks_for_port(snapshot: Snapshot, name: str) -> bool:
    service = snapshot.services.get(name)
    return service is not None and bool(service.portless)


class Claimed:
    """Services as if their records named the claimed port; an unchanged one is the same object."""

    def __init__(self) -> None:
        self._memo = MemoByName(_claimed)

    def services(self, snapshot: Snapshot) -> Mapping[str, Service]:
        """Return all services of a snapshot."""
        asking = {
            name: (service, claim.port if (claim := snapshot.claims.get(name)) else None)
            for name, service in snapshot.services.items()
            if service.portless
        }
        if not asking:
            return snapshot.services
        return {**snapshot.services, **self._memo.get(asking)}


def _claimed(name: str, given: tuple[Service, int | None]) -> Service:
    """Return a service whose records name the claimed port where they named none.

    One that only did not ask for its own port has that as soon as another of the service asks.
    """
    service, claimed = given
    records = dict(service.records)
    for key in service.portless:
        port = named_port(service, records[key]) or claimed
        if port is not None:
            instance = replace(records[key].instance, service_port=port)
            records[key] = replace(records[key], instance=instance)

    return Service.of(records) if records != service.records else service


def named_ports(snapshot: Snapshot) -> frozenset[int]:
    """Return every port that a record names: to claim one would take it from its service."""
    return frozenset(port for service in snapshot.services.values() for port in service.ports)
