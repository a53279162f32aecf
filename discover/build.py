"""From a snapshot to what HAProxy shall be: listeners and servers, sorted and complete. No I/O, no text."""

from collections.abc import Mapping
from dataclasses import replace

from catalog.record import Balance, Sticky
from discover.claims import Claimed
from discover.door import NO_PORT, Place, Wished, granted, say_unreached, url_of
from discover.grpc_check import asked
from discover.intervals import INTERVAL_MS, interval_ms
from discover.model import (
    NOWHERE,
    Bind,
    Door,
    Header,
    Listener,
    Policy,
    Process,
    ProxyConfig,
    Site,
    because,
    behind_door,
    name_of,
)
from discover.ownership import NOTHING, OLDEST, Listening, Problems, Services, owners_of, rightful
from discover.servers import servers_of, stub_policy
from discover.snapshot import Record, Service, Snapshot
from sidecar.problems import Problem

ROUNDROBIN_MAX = 4095  # active servers: HAProxy's configuration manual, section 4.2 "balance"

Group = tuple[Record, ...]
_Same = tuple[tuple[Bind, ...], int, tuple[str, ...]]
_Routes = Mapping[Place, tuple[str, ...]]


class Known:
    """The listeners of the build before: those whose service is the same object are used again, as they are."""

    def __init__(self) -> None:
        self.claimed = Claimed()
        self.wished = Wished()
        self._interval_ms = INTERVAL_MS
        self._site = NOWHERE
        self._before: dict[tuple[str, int], tuple[Service, _Same, Listener, Problems]] = {}
        self._now: dict[tuple[str, int], tuple[Service, _Same, Listener, Problems]] = {}

    def begin(self, hosts: int, site: Site) -> None:
        """Forget what the build before did not use; so many hosts make health checks now, this one stands there."""
        self._interval_ms = interval_ms(self._interval_ms, hosts)
        self._site = site
        self._before, self._now = self._now, {}

    def listener(
        self, service: Service, name: str, port: int, binds: tuple[Bind, ...], routes: tuple[str, ...], said: Problems
    ) -> Listener:
        """Return the listener for one port of a service; `said` gets what is odd about its records."""
        found, same = self._before.get((name, port)), (binds, self._interval_ms, routes)
        if found is None or found[0] is not service or found[1] != same:
            group = _group(service, port)
            listener = _listener(group, port, binds, self._interval_ms, self._site)
            found = (service, same, replace(listener, routes=routes), _differing(service, group))
        self._now[name, port] = found
        for key, problem in found[3].items():
            said.setdefault(key, problem)
        return found[2]


def build(
    snapshot: Snapshot, policy: Policy, known: Known | None = None, listening: Listening = NOTHING
) -> tuple[ProxyConfig, Mapping[str, Problem]]:
    """Return the configuration for a snapshot, and the reason for everything in it that is left out.

    With `known` it takes time for the services that changed, not for all. `listening` is what HAProxy has
    now: a service keeps the port it has as long as any of its records names it.
    """
    known = known or Known()
    known.begin(len(snapshot.owners), policy.site)
    problems = {key: because("BAD_RECORD", f"record skipped: {why}") for key, why in snapshot.refused.items()}
    services = rightful(known.claimed.services(snapshot), listening.binds, problems)
    owners = owners_of(services, listening.holders, snapshot.claims)
    process = _process(policy, problems)
    routes, reserved = _routes(services, process.door, known, problems), _reserved(policy.process)
    listeners = []
    for name in sorted(services):
        service = services[name]
        _say_portless(name, service, policy, problems)
        for port in sorted(service.ports):
            there = routes.get((name, port), ())
            reached = f"; it is reached at {url_of(process.door, there)}" if process.door and there else ""
            # Who is reached by its name does not take the port of one that is only empty now.
            owner = listening.holders.get(port, owners[port]) if there else owners[port]
            binds: tuple[Bind, ...] = ()
            if owner == name:
                binds = _binds(name, port, policy, reserved, problems, reached)
            else:
                _say_claimed(name, service, port, f"{owner}, which claimed or named it first{reached}", problems, there)
            if binds or there:
                listeners.append(known.listener(service, name, port, binds, there, problems))
        if there := routes.get((name, NO_PORT), ()):
            listeners.append(known.listener(service, name, NO_PORT, (), there, problems))
    return ProxyConfig(process, tuple(listeners)), problems


def _routes(services: Services, door: Door | None, known: Known, problems: Problems) -> _Routes:
    """Return the keys of the door's map that lead to each service port; none without a door."""
    if door is None:
        return {}
    for name, service in services.items():
        say_unreached(name, service, problems)
    return granted(known.wished.all(services, door.domain), problems)


def _process(policy: Policy, problems: Problems) -> Process:
    process, unusable = policy.process, policy.unusable
    if process.stats and process.stats in unusable:
        problems["stats"] = because("PORT_IN_USE", f"no stats page on {process.stats}: {unusable[process.stats]}")
        process = replace(process, stats=None)
    if process.door and (lost := [bind for bind in process.door.binds if bind in unusable]):
        for bind in lost:
            text = f"no http services on {bind}: {unusable[bind]}"
            problems[f"HTTP_BIND on {bind.host}"] = because("PORT_IN_USE", text)
        left = tuple(bind for bind in process.door.binds if bind not in lost)
        process = replace(process, door=replace(process.door, binds=left) if left else None)
    return process


def _say_portless(name: str, service: Service, policy: Policy, problems: Problems) -> None:
    why = policy.unclaimed.get(name)
    text = f"{name} has no service port: {why or 'one is being claimed from PORT_RANGE'}"
    for key in service.portless:
        problems[key] = replace(because("NO_SERVICE_PORT", text), quiet=why is None)  # it takes some milliseconds


def _say_claimed(
    name: str, service: Service, port: int, owner: str, problems: Problems, there: tuple[str, ...]
) -> None:
    for key, record in service.records.items():
        if record.instance.service_port == port:
            # what the operator wrote has a word of its file, not a label
            setting = "port:" if record.created == OLDEST else "SERVICE_PORT"
            text = f"service port {port} belongs to {owner}; {setting} names another"
            problem = because("PORT_CLAIMED", f"{name} not listened for: {text}")
            problems[key] = replace(problem, quiet=bool(there))  # behind a door that is how most http services live


def _reserved(process: Process) -> Mapping[int, tuple[str, str]]:
    """Return HAProxy's own ports: whose each is, and the setting that names it."""
    own = {process.stats.port: ("the stats page's", "STATS")} if process.stats else {}
    http = process.door.binds if process.door else ()
    return own | {bind.port: ("that of all http services", "HTTP_BIND") for bind in http}


def _binds(
    name: str,
    port: int,
    policy: Policy,
    reserved: Mapping[int, tuple[str, str]],
    problems: Problems,
    reached: str,
) -> tuple[Bind, ...]:
    if port in reserved:
        whose, setting = reserved[port]
        other = f"set SERVICE_PORT (port: in the file of SERVICES), or {setting} of docker-discover"
        text = f"service port {port} is {whose}; {other}"
        problems[f"{name}:{port}"] = because("PORT_RESERVED", f"{name} not listened for: {text}{reached}")
        return ()
    wanted = tuple(Bind(host, port) for host in policy.hosts)
    if not policy.unusable:
        return wanted
    for bind in wanted:
        if (why := policy.unusable.get(bind)) is not None:
            text = f"{name} not listened for on {bind}: {why}{reached}"
            problems[f"{name}:{port} on {bind.host}"] = because("PORT_IN_USE", text)
    return tuple(bind for bind in wanted if bind not in policy.unusable)


def _group(service: Service, port: int) -> Group:
    """Return the records of one service port; the one whose word counts for the whole service comes first."""

    def order(record: Record) -> tuple[object, ...]:
        return (record.instance.role, record.created, record.key)  # "real" sorts before "stub"

    return tuple(
        sorted((r for r in service.records.values() if (r.instance.service_port or NO_PORT) == port), key=order)
    )


def _differing(service: Service, group: Group) -> Problems:
    """Return what to say of records that ask for another mode than counts: they are served, but in that one."""
    first = group[0]
    kind = "real one" if first.instance.role == "real" else "stub"
    there = {record.key for record in group if record.instance.mode != first.instance.mode}
    if not there:
        return {}
    counts = f"but {first.instance.mode} counts, which the oldest {kind} says, {first.key.name}"
    right = "set SERVICE_MODE to the same on all, http if that is what they speak"
    return {
        key: because(
            "MODE_DIFFERS", f"{record.key.service} {record.key.name} says {record.instance.mode}, {counts}: {right}"
        )
        for key, record in service.records.items()
        if record.key in there
    }


def _listener(group: Group, port: int, binds: tuple[Bind, ...], interval: int, site: Site) -> Listener:
    # Where instances of one service disagree on what only the whole can have, the oldest real one is heard: a
    # rolling change takes effect when the last instance of the old kind is gone, the same on every host.
    first = group[0].instance
    is_http = first.mode == "http"
    sticky: Sticky = first.sticky if is_http else "none"
    policy = stub_policy(group)
    supersedes = policy == "supersede" and first.locality == "any"
    header, _, value = next((r.instance.canary for r in group if r.instance.canary and is_http), "").partition("=")
    return Listener(
        name=name_of(first.service, port) if binds else behind_door(first.service, port),
        service=first.service,
        port=port,
        binds=binds,
        mode=first.mode,
        balance=_balance(first.balance or "roundrobin", len(group)),
        sticky=sticky,
        retry=first.retry,
        timeout_ms=first.timeout_ms,
        check=first.check,
        interval_ms=first.check.interval_ms or interval,
        # A tcp check that fails says that nobody accepts: calling all the same would find nobody either.
        panic=first.panic == "on" and first.check.kind == "http" and not first.check.grpc,
        hash_header=first.hash_header if is_http else "",
        h2c=first.proto == "h2c" and is_http,
        asked=asked(first.check.host or first.service) if first.check.grpc else "",
        canary=Header(header, value) if header else None,
        takes_over=not is_http and supersedes,
        supersedes=supersedes,
        servers=servers_of(group, policy, first.locality, sticky, site),
    )


def _balance(asked: Balance, servers: int) -> Balance:
    """Return the balance; leastconn, which has no such limit, for more servers than roundrobin can have."""
    return "leastconn" if asked == "roundrobin" and servers > ROUNDROBIN_MAX else asked
