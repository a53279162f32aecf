"""One listener from the records of one service port. No I/O, no text."""

from catalog.record import Balance, Sticky
from discover.model.config import Bind, Header, Listener, Location
from discover.model.health_check import grpc_request
from discover.model.names import NO_PORT, door_listener_name, listener_name
from discover.model.no_effect import without_effect
from discover.model.ownership import Problems
from discover.model.servers import servers_of, stub_policy
from discover.reasons import because
from discover.snapshot.snapshot import Record, Service
from sidecar.status.problems import Problem

ROUNDROBIN_MAX = 4095  # active servers: HAProxy's configuration manual, section 4.2 "balance"

Group = tuple[Record, ...]


def group_of(service: Service, port: int) -> Group:
    """Return the records of one service port; the one whose word counts for the whole service comes first."""

    def order(record: Record) -> tuple[object, ...]:
        return (record.instance.role, record.created, record.key)  # "real" sorts before "stub"

    return tuple(
        sorted(
            (r for r in service.records.values() if (r.instance.service_port or NO_PORT) == port),
            key=order,
        )
    )


def odd_in(service: Service, group: Group) -> Problems:
    """Return what to say of records that are served, but not as they ask, by their etcd keys."""
    said = {record.key: _differing(record, group[0]) or without_effect(record) for record in group}
    return {
        key: problem
        for key, record in service.records.items()
        if (problem := said.get(record.key)) is not None
    }


def _differing(record: Record, first: Record) -> Problem | None:
    """Return that a record asks for another mode than counts."""
    if record.instance.mode == first.instance.mode:
        return None
    kind = "real one" if first.instance.role == "real" else "stub"
    counts = f"but {first.instance.mode} counts, which the oldest {kind} says, {first.key.name}"
    right = "set SERVICE_MODE to the same on all, http if that is what they speak"
    says = f"{record.key.service} {record.key.name} says {record.instance.mode}"
    return because("MODE_DIFFERS", f"{says}, {counts}: {right}")


def listener_of(
    group: Group, port: int, binds: tuple[Bind, ...], interval_ms: int, location: Location
) -> Listener:
    """Return the listener for a service port with these records, the first of which has the word."""
    # Where instances of one service disagree on what only the whole can have, the oldest real one is heard: a
    # rolling change takes effect when the last instance of the old kind is gone, the same on every host.
    first = group[0].instance
    is_http = first.mode == "http"
    sticky: Sticky = first.sticky if is_http else "none"
    policy = stub_policy(group)
    supersedes = policy == "supersede" and first.locality == "any"
    header, _, value = next(
        (r.instance.canary for r in group if r.instance.canary and is_http), ""
    ).partition("=")
    return Listener(
        name=listener_name(first.service, port)
        if binds
        else door_listener_name(first.service, port),
        service=first.service,
        port=port,
        binds=binds,
        mode=first.mode,
        balance=_balance(first.balance or "roundrobin", len(group)),
        sticky=sticky,
        retry=first.retry,
        timeout_ms=first.timeout_ms,
        check=first.check,
        interval_ms=first.check.interval_ms or interval_ms,
        # A tcp check that fails says that nobody accepts: calling all the same would find nobody either.
        panic=first.panic == "on" and first.check.kind == "http" and not first.check.grpc,
        hash_header=first.hash_header if is_http else "",
        h2c=first.proto == "h2c" and is_http,
        asked=grpc_request(first.check.host or first.service) if first.check.grpc else "",
        canary=Header(header, value) if header else None,
        takes_over=not is_http and supersedes,
        supersedes=supersedes,
        servers=servers_of(group, policy, first.locality, sticky, location),
    )


def _balance(asked: Balance, servers: int) -> Balance:
    """Return the balance; leastconn, which has no such limit, for more servers than roundrobin can have."""
    return "leastconn" if asked == "roundrobin" and servers > ROUNDROBIN_MAX else asked
