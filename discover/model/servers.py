"""The servers of one service port: stubs, nearness, order, and their share of calls. No I/O."""

from collections.abc import Collection, Iterable, Mapping

from catalog.digest import sha256
from catalog.host_port import host_port
from catalog.records.record import Locality, Sticky
from catalog.values.rules import WEIGHT_MAX
from discover.model.proxy_config import Location, Server
from discover.snapshot.snapshot import Record

# The usual weight is 100: a far instance with this one gets calls only when nearer ones fail.
FAR_WEIGHT = 1

# The distance up to which instances are called first.
_NEAR: Mapping[Locality, int] = {"host": 0, "zone": 1, "any": 2}


def stub_policy(group: Iterable[Record]) -> str:
    """Return how stubs and real instances of a port share calls; the oldest stub decides."""
    stubs = [record for record in group if record.instance.role == "stub"]
    if not stubs:
        return "supersede"

    oldest = min(stubs, key=lambda record: (record.created, record.key.name))
    return oldest.instance.stub_policy


def servers_of(
    group: tuple[Record, ...], policy: str, locality: Locality, sticky: Sticky, location: Location
) -> tuple[Server, ...]:
    """Return the servers of one service port.

    All but the weight of a server depends on its own record alone.
    """
    weights = _weights(group, policy, locality, location)

    def server(record: Record) -> Server:
        instance = record.instance
        name = record.key.name
        backup = _is_backup(record, policy, locality, location)

        return Server(
            name=name,
            endpoint=host_port(instance.address, instance.port),
            weight=weights[name],
            draining=instance.state == "draining",
            backup=backup,
            # A client with the cookie of a backup would stay there when the others are back.
            cookie=_cookie(name) if sticky == "cookie" and not backup else "",
            canary=bool(instance.canary) and instance.mode == "http",
            slow_start_ms=instance.slow_start_ms,
            maxconn=instance.maxconn,
            stub=instance.role == "stub",
        )

    ordered = sorted(group, key=lambda record: _order(record.key.name, location.seed))
    return tuple(server(record) for record in ordered)


def _order(name: str, seed: str) -> tuple[str, str]:
    """Return what servers are sorted by: another order on each host, or by name without a seed."""
    mixed = sha256(f"{seed} {name}".encode()).hexdigest() if seed else ""
    return mixed, name


def _cookie(name: str) -> str:
    # A hash: an address in a cookie would show every client how the network looks inside.
    return sha256(name.encode()).hexdigest()[:12]


def _is_backup(record: Record, policy: str, locality: Locality, location: Location) -> bool:
    """Whether a server is called only while no other can be.

    It depends on nothing that comes and goes: only a reload can change this word of a server.
    """
    if record.instance.role == "stub":
        return policy in ("supersede", "fallback")

    return policy == "pin" or _distance(record, location) > _NEAR[locality]


def _distance(record: Record, location: Location) -> int:
    """Return 0 for an instance on this host, 1 for one in its zone, 2 for any other."""
    if record.key.host in location.hosts:
        return 0

    is_in_zone = location.zone and record.instance.zone == location.zone
    return 1 if is_in_zone else 2


def _weights(
    group: Collection[Record], policy: str, locality: Locality, location: Location
) -> Mapping[str, int]:
    """Return the weight of each server by its name."""
    weights = {record.key.name: record.instance.weight for record in group}
    ready = [record for record in group if _is_ready(record)]
    real = [record for record in ready if record.instance.role == "real"]
    stubs = [record for record in ready if record.instance.role == "stub"]

    if locality != "any" and real:
        if policy in ("supersede", "fallback"):
            # HAProxy treats all backups alike, but far real instances shall come before stubs.
            all_stubs = [record for record in group if record.instance.role == "stub"]
            weights |= {record.key.name: 0 for record in all_stubs}

        distances = {record.key.name: _distance(record, location) for record in real}
        if locality == "host" and 1 in distances.values():
            weights |= {name: FAR_WEIGHT for name, away in distances.items() if away == 2}

    if policy.startswith("share="):
        percent = int(policy.removeprefix("share=").removesuffix("%"))
        weights |= _shared(real, stubs, percent)

    return weights


def _is_ready(record: Record) -> bool:
    return record.instance.state == "ready" and record.instance.weight > 0


def _shared(real: list[Record], stubs: list[Record], percent: int) -> Mapping[str, int]:
    """Return weights by which the stubs together get this share of the calls.

    Nothing if there are only stubs or only real instances.
    """
    if not real or not stubs:
        return {}

    parts: dict[str, float] = {}
    for records, share in ((real, 100 - percent), (stubs, percent)):
        total = sum(record.instance.weight for record in records)
        parts |= {record.key.name: share * record.instance.weight / total for record in records}

    scale = WEIGHT_MAX / max(parts.values())
    return {name: max(1, round(part * scale)) if part else 0 for name, part in parts.items()}
