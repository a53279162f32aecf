"""Which servers one service port has, and what each gets of the calls: stubs, nearness, order. No I/O, no text."""

import hashlib
from collections.abc import Iterable, Mapping

from catalog.host_port import host_port
from catalog.record import Instance, Locality, Sticky
from catalog.rules import WEIGHT_MAX
from discover.model.config import Location, Server
from discover.snapshot.snapshot import Record

FAR_WEIGHT = (
    1  # beside the 100 that is usual: an instance that only failing nearer ones make welcome
)


def stub_policy(group: Iterable[Record]) -> str:
    """Return how the stubs of a service port stand to the real ones: the oldest stub is heard."""
    stubs = sorted(
        (r.created, r.key.name, r.instance.stub_policy) for r in group if r.instance.role == "stub"
    )
    return stubs[0][2] if stubs else "supersede"


def servers_of(
    group: tuple[Record, ...], policy: str, locality: Locality, sticky: Sticky, location: Location
) -> tuple[Server, ...]:
    """Return the servers of one service port; what is told of each but its weight stays while its record does."""
    weights = _weights(group, policy, locality, location)

    def server(record: Record) -> Server:
        instance, spare = record.instance, _is_spare(record, policy, locality, location)
        return Server(
            name=record.key.name,
            endpoint=_endpoint(instance),
            weight=weights[record.key.name],
            draining=instance.state == "draining",
            backup=spare,
            # None for a spare: a client that it was sent to would stay there when the others are back.
            cookie=_cookie(record.key.name) if sticky == "cookie" and not spare else "",
            canary=bool(instance.canary) and instance.mode == "http",
            slow_start_ms=instance.slow_start_ms,
            maxconn=instance.maxconn,
            stub=instance.role == "stub",
        )

    return tuple(map(server, sorted(group, key=lambda record: _place(record, location))))


def _place(record: Record, location: Location) -> tuple[str, str]:
    name = record.key.name
    return (
        hashlib.sha256(f"{location.seed} {name}".encode()).hexdigest() if location.seed else "",
        name,
    )


def _cookie(name: str) -> str:
    # A hash, as an address in a cookie would tell every client how the network looks inside.
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _is_spare(record: Record, policy: str, locality: Locality, location: Location) -> bool:
    """Whether a server is called only while no other can be. It depends on nothing that comes and goes: HAProxy takes
    another word for a server only from its file.
    """
    is_stub = record.instance.role == "stub"
    if policy in ("supersede", "fallback") and is_stub:
        return True
    if policy == "pin" and not is_stub:
        return True
    return not is_stub and _distance(record, location) > _NEAR[locality]


_NEAR: Mapping[Locality, int] = {"host": 0, "zone": 1, "any": 2}


def _distance(record: Record, location: Location) -> int:
    if record.key.host in location.hosts:
        return 0
    return 1 if location.zone and record.instance.zone == location.zone else 2


def _weights(
    group: tuple[Record, ...], policy: str, locality: Locality, location: Location
) -> Mapping[str, int]:
    weights = {record.key.name: record.instance.weight for record in group}
    ready = [
        record for record in group if record.instance.state == "ready" and record.instance.weight
    ]
    real = [record for record in ready if record.instance.role == "real"]
    if locality != "any" and real:
        if policy in ("supersede", "fallback"):
            # Among spares HAProxy makes no difference: far ones that are real come before stubs.
            weights |= {record.key.name: 0 for record in group if record.instance.role == "stub"}
        if locality == "host" and any(_distance(record, location) == 1 for record in real):
            weights |= {r.key.name: FAR_WEIGHT for r in real if _distance(r, location) == 2}
    if policy.startswith("share="):
        stubs = [record for record in ready if record.instance.role == "stub"]
        weights |= _shared(real, stubs, int(policy.removeprefix("share=").removesuffix("%")))
    return weights


def _shared(real: list[Record], stubs: list[Record], percent: int) -> Mapping[str, int]:
    """Return weights by which the stubs together get so much of the calls; nothing where only one kind is there."""
    if not real or not stubs:
        return {}
    parts: dict[str, float] = {}
    for records, share in ((real, 100 - percent), (stubs, percent)):
        together = sum(record.instance.weight for record in records)
        parts |= {record.key.name: share * record.instance.weight / together for record in records}
    scale = WEIGHT_MAX / max(parts.values())
    return {name: max(1, round(part * scale)) if part else 0 for name, part in parts.items()}


def _endpoint(instance: Instance) -> str:
    return host_port(instance.address, instance.port)
