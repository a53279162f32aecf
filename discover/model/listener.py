"""One listener from the records of one service port. No I/O, no text."""

from collections.abc import Iterable, Mapping

from catalog.records.record import Balance, Sticky
from discover.model.health_check import grpc_request
from discover.model.no_effect import without_effect
from discover.model.ownership import Problems
from discover.model.proxy_config import (
    NO_PORT,
    Bind,
    Header,
    Listener,
    Location,
    door_listener_name,
    listener_name,
)
from discover.model.servers import servers_of, stub_policy
from discover.reasons import because
from discover.snapshot.snapshot import Record, Service
from sidecar.status.problems import Problem

# Roundrobin cannot balance more active servers (configuration manual 4.2, "balance").
ROUNDROBIN_MAX = 4095

# The records of one service port. The first decides what only the service as a whole can have:
# the oldest real one, so that a rolling change takes effect when the last instance of the old kind
# is gone, at the same time on every host.
Group = tuple[Record, ...]


def records_on(service: Service, port: int) -> Mapping[str, Record]:
    """Return the records of one service port by their etcd keys; of NO_PORT those without one."""
    return {
        key: record
        for key, record in service.records.items()
        if (record.instance.service_port or NO_PORT) == port
    }


def group_of(records: Iterable[Record]) -> Group:
    """Return the records of one service port, the deciding one first."""
    return tuple(sorted(records, key=_precedence))


def _precedence(record: Record) -> tuple[object, ...]:
    # "real" sorts before "stub".
    return record.instance.role, record.created, record.key


def odd_in(records: Mapping[str, Record], first: Record) -> Problems:
    """Return the problems of records that are served, but not as they ask, by their etcd keys."""
    oddities: Problems = {}
    for key, record in records.items():
        oddity = _differing(record, first) or without_effect(record)
        if oddity is not None:
            oddities[key] = oddity

    return oddities


def _differing(record: Record, first: Record) -> Problem | None:
    """Return the problem that a record asks for another mode than the one that counts."""
    if record.instance.mode == first.instance.mode:
        return None

    kind = "real one" if first.instance.role == "real" else "stub"
    says = f"{record.key.service} {record.key.name} has mode {record.instance.mode}"
    counts = f"but the oldest {kind}, {first.key.name}, decides on {first.instance.mode}"
    right = "give all of them the same SERVICE_MODE, http if they speak it"
    return because("MODE_DIFFERS", f"{says}, {counts}: {right}")


def listener_of(
    group: Group, port: int, binds: tuple[Bind, ...], interval_ms: int, location: Location
) -> Listener:
    """Return the listener for a service port with these records."""
    first = group[0].instance
    is_http = first.mode == "http"
    sticky: Sticky = first.sticky if is_http else "none"
    policy = stub_policy(group)
    supersedes = policy == "supersede" and first.locality == "any"
    name_of = listener_name if binds else door_listener_name

    return Listener(
        name=name_of(first.service, port),
        service=first.service,
        port=port,
        binds=binds,
        mode=first.mode,
        balance=_balance(first.balance or "roundrobin", len(group)),
        sticky=sticky,
        retry=first.retry,
        reuse=first.reuse or ("never" if first.retry == "connect" else "safe"),
        timeout_ms=first.timeout_ms,
        log=first.log,
        check=first.check,
        interval_ms=first.check.interval_ms or interval_ms,
        # If tcp checks fail, no server accepts connections: to call them all would help nobody.
        panic=first.panic == "on" and first.check.kind == "http" and not first.check.grpc,
        hash_header=first.hash_header if is_http else "",
        h2c=first.proto == "h2c" and is_http,
        asked=grpc_request(first.check.host or first.service) if first.check.grpc else "",
        canary=_canary(group) if is_http else None,
        takes_over=not is_http and supersedes,
        supersedes=supersedes,
        servers=servers_of(group, policy, first.locality, sticky, location),
    )


def _canary(group: Group) -> Header | None:
    """Return the header that leads to canaries, by the first record that names one."""
    for record in group:
        if record.instance.canary:
            header, _, value = record.instance.canary.partition("=")
            return Header(header, value) if header else None

    return None


def _balance(wanted: Balance, servers: int) -> Balance:
    """Return the balance, or leastconn where there are more servers than roundrobin can have."""
    return "leastconn" if wanted == "roundrobin" and servers > ROUNDROBIN_MAX else wanted
