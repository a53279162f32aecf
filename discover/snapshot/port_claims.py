"""Which port a service has for good: which claims count, and which number is the next to be claimed. No I/O.

A claim outlives its service, so that callers can hard-code it. One that the store lost with all else (a wipe, an old
backup) counts on here and is put again; one that is gone alone was deleted by somebody who meant it, and counts on only
while its service asks for a port.
"""

import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from catalog.port_claim import PORT_MAX
from discover.snapshot.snapshot import Claim, Service, Snapshot

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
        """Yield all numbers, first the one that the name alone tells: so collisions are rare, also after a loss."""
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
    """What is to be claimed: numbers that the store lost, by service, and services that need any."""

    lost: Mapping[str, int]
    portless: Set[str]

    @property
    def services(self) -> Set[str]:
        """All that lack a claim."""
        return self.lost.keys() | self.portless


def wanted(catalog: Snapshot, told: Snapshot, outside: Set[str] = frozenset()) -> Wanted:
    """Return what to claim, where the store has `told` less than is believed of it; `outside` are portless too."""
    lost = {name: claim.port for name, claim in catalog.claims.items() if name not in told.claims}
    portless = {name for name, service in catalog.services.items() if service.portless} | outside
    return Wanted(lost, frozenset(portless - told.claims.keys()))


def choose(
    it: Wanted,
    claims: ClaimsByService,
    within: PortRange,
    *,
    avoid: Container[int],
    usable: Callable[[int], bool],
) -> Mapping[str, int]:
    """Return a number for each service that has none in `claims`, none of them twice; too small a range gives fewer.

    Lost numbers come first, whatever else speaks against them: callers have hard-coded them.
    """
    taken = {claim.port for claim in claims.values()}
    chosen: dict[str, int] = {}
    for name, port in sorted(it.lost.items()):
        if name not in claims and port not in taken:
            chosen[name] = port
            taken.add(port)
    for name in sorted(it.portless - claims.keys() - chosen.keys()):
        free = (
            port
            for port in within.tried_by(name)
            if port not in taken and port not in avoid and usable(port)
        )
        if (found := next(free, None)) is None:
            break  # nor is there one for anybody else
        chosen[name] = found
        taken.add(found)
    return chosen


def believed(
    before: Snapshot, told_before: Snapshot, told: Snapshot, *, wiped: bool
) -> ClaimsByService:
    """Return the claims that count once the store has `told` this: its own, and what it lost and is to be put again."""
    if before.claims.keys() <= told.claims.keys():
        return told.claims
    # Claims are under no lease: they leave together with the last host only when a single host's store is wiped.
    wiped = wiped or bool(before.owners and not told.owners)
    taken = {claim.port for claim in told.claims.values()}

    def stays(name: str) -> bool:
        service = told.services.get(name)
        return (
            wiped
            or name not in told_before.claims
            or (service is not None and bool(service.portless))
        )

    gone = {
        name: claim
        for name, claim in before.claims.items()
        if name not in told.claims and claim.port not in taken
    }
    return {**told.claims, **{name: claim for name, claim in gone.items() if stays(name)}}


class Claimed:
    """Services as if their records named the claimed port; the same object as long as neither changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Service, int, Service]] = {}

    def services(self, snapshot: Snapshot) -> Mapping[str, Service]:
        """Return all services of a snapshot."""
        asking = [
            name
            for name, it in snapshot.services.items()
            if it.portless and name in snapshot.claims
        ]
        if not asking:
            return snapshot.services
        before, self._known = self._known, {}
        for name in asking:
            service, port = snapshot.services[name], snapshot.claims[name].port
            known = before.get(name)
            if known is None or known[0] is not service or known[1] != port:
                known = (service, port, _listening_on(service, port))
            self._known[name] = known
        return {**snapshot.services, **{name: known[2] for name, known in self._known.items()}}


def _listening_on(service: Service, port: int) -> Service:
    records = dict(service.records)
    for key in service.portless:
        records[key] = replace(
            records[key], instance=replace(records[key].instance, service_port=port)
        )
    return Service.of(records)


def named_ports(snapshots: Iterable[Snapshot]) -> frozenset[int]:
    """Return every port that a record names: a claim would take it from whoever comes back to it."""
    return frozenset(
        port for it in snapshots for service in it.services.values() for port in service.ports
    )
