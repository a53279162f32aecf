"""Who is there of the pair, who is silent, drained, behind, of another age -> findings. No I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctl.fleet import Fleet
from ctl.view.doctor.finding import Finding, listed

# Of what a clock may differ before anybody should care: leases are etcd's, so calls do not.
SKEW_MS = 500
FAILS = "operations.md#when-a-host-etcd-or-an-engine-fails"
DRAIN = "operations.md#take-a-host-out-of-service"
UPGRADE = "operations.md#upgrade-a-sidecar"
RUN = "operations.md#run-the-pair"
CLOCKS = "metrics.md#from-a-start-to-the-first-call"


@dataclass(frozen=True, slots=True)
class Told:
    """What one docker-discover answered, and between which moments of our clock it did."""

    facts: Mapping[str, Any]
    sent_ms: int
    got_ms: int

    @property
    def skew_ms(self) -> int:
        """How far its clock is ahead of ours, at least; negative: behind."""
        clock_ms = _whole(self.facts.get("clock_ms"))
        if not clock_ms:
            return 0
        return min(0, clock_ms - self.sent_ms) + max(0, clock_ms - self.got_ms)


@dataclass(frozen=True, slots=True)
class Hosts:
    """All hosts as etcd has them, and their answers."""

    fleet: Fleet
    told: Mapping[str, Told] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    too_old: frozenset[str] = frozenset()
    drained: frozenset[str] = frozenset()
    purged: frozenset[str] = frozenset()
    revision: int = 0  # of the question
    within_s: float = 0.0
    only: str = ""  # this host alone is asked about

    def of(self, names: Iterable[str]) -> list[str]:
        """Return those of these hosts that are asked about, sorted."""
        return sorted(name for name in names if self.only in ("", name))


def host_findings(hosts: Hosts) -> tuple[Finding, ...]:
    """Return what there is to say of all hosts."""
    return (
        *_there(hosts),
        *_alone(hosts),
        *_lost(hosts),
        *_out_of_service(hosts),
        *_not_ready(hosts),
        *_skewed(hosts),
        *_versions(hosts),
        *_starts(hosts),
        *_unreadable(hosts),
    )


def _there(hosts: Hosts) -> Iterator[Finding]:
    proxies = hosts.of(hosts.fleet.proxies)
    if not proxies:
        helps = "start one on each host that has callers"
        yield Finding("error", "no docker-discover says that it is there", helps, RUN)
        return

    answering = hosts.of(hosts.told)
    yield Finding("ok", f"{len(answering)} of {len(proxies)} docker-discovers answer")
    for host in hosts.of(hosts.silent):
        text = f"{host}: docker-discover is silent for {hosts.within_s:g} s"
        yield Finding("error", text, "docker logs docker-discover, on that host", FAILS)
    for host in hosts.of(hosts.too_old):
        text = f"{host}: docker-discover is too old to be asked how it is"
        yield Finding("warn", text, "upgrade it", UPGRADE)


def _alone(hosts: Hosts) -> Iterator[Finding]:
    fleet = hosts.fleet
    for host in hosts.of(fleet.owners - fleet.proxies.keys()):
        text = f"{host}: docker-register without docker-discover: nobody can call services there"
        yield Finding("warn", text, "start docker-discover, if that host has callers", RUN)

    lost = set(_suspects(hosts))
    for host in hosts.of(fleet.proxies.keys() - fleet.owners - lost - hosts.drained):
        text = f"{host}: docker-discover without docker-register: its containers are not published"
        yield Finding("warn", text, "start docker-register, if that host has services", RUN)


def _lost(hosts: Hosts) -> Iterator[Finding]:
    for host, (instances, for_s) in sorted(_suspects(hosts).items()):
        if hosts.only not in ("", host):
            continue
        text = f"{host}: its registrar is silent: the lease ended {for_s} s ago; "
        text += f"{instances} instances are suspects, called while their checks pass"
        yield Finding("error", text, "see to that host, its docker-register and its engine", FAILS)

    frozen = hosts.of(host for host, it in hosts.told.items() if it.facts.get("frozen"))
    if frozen:
        text = f"removals are frozen on {listed(frozen)}: many hosts vanished at once"
        yield Finding("error", text, "bring the hosts back, or purge those that are gone", FAILS)


def _suspects(hosts: Hosts) -> Mapping[str, tuple[int, int]]:
    """Return by host how many instances are suspects, at most, and for how many seconds."""
    found: dict[str, tuple[int, int]] = {}
    for told in hosts.told.values():
        suspects = told.facts.get("suspects")
        for host, it in suspects.items() if isinstance(suspects, dict) else ():
            if isinstance(it, dict):
                seen = _whole(it.get("instances")), _whole(it.get("for_s"))
                found[host] = max(found.get(host, (0, 0)), seen)
    return found


def _out_of_service(hosts: Hosts) -> Iterator[Finding]:
    for host in hosts.of(hosts.drained):
        text = f"{host} is drained: nothing of it is published"
        yield Finding("warn", text, "docker exec docker-register undrain, on that host", DRAIN)
    for host in hosts.of(hosts.purged):
        text = f"{host} is purged: nothing of it is called"
        yield Finding("warn", text, f"etcdctl del of its key hosts/{host}/purge", FAILS)


def _not_ready(hosts: Hosts) -> Iterator[Finding]:
    for host in hosts.of(hosts.told):
        facts = hosts.told[host].facts
        if failed := facts.get("failed"):
            yield Finding("error", f"{host}: docker-discover cannot say how it is: {failed}")
            continue

        reasons = facts.get("not_ready")
        for what, why in sorted(reasons.items()) if isinstance(reasons, dict) else ():
            yield Finding("error", f"{host} is not ready: {what}: {why}", "", FAILS)
        if facts.get("haproxy"):
            yield Finding("error", f"{host}: HAProxy does not answer: {facts['haproxy']}")

        behind = hosts.revision - _whole(facts.get("etcd_revision"))
        if behind > 0:
            text = f"{host}: its watch is {behind} revisions behind etcd"
            yield Finding("warn", text, "run it again: a busy store is caught up with in a moment")


def _skewed(hosts: Hosts) -> Iterator[Finding]:
    known = [host for host in hosts.of(hosts.told) if hosts.told[host].facts.get("clock_ms")]
    skewed = [host for host in known if abs(hosts.told[host].skew_ms) > SKEW_MS]
    for host in skewed:
        skew_ms = hosts.told[host].skew_ms
        where = "ahead of" if skew_ms > 0 else "behind"
        text = f"{host}: its clock is {abs(skew_ms) / 1000:.1f} s {where} this machine's"
        yield Finding("warn", text, "run an NTP client on both", CLOCKS)
    if known and not skewed:
        yield Finding(
            "ok", f"clocks agree with this machine's, on {len(known)} of {len(known)} hosts"
        )


def _versions(hosts: Hosts) -> Iterator[Finding]:
    fleet = hosts.fleet
    found = [(host, "discover", it.version) for host, it in fleet.proxies.items()]
    for host in fleet.owners:
        told = fleet.refusals.get(host)
        found.append((host, "register", told.version if told else ""))

    versions = Counter(version for _host, _side, version in found if version)
    if not versions:
        return
    usual = max(sorted(versions), key=versions.__getitem__)
    others = [it for it in sorted(found) if it[2] != usual and it[0] in hosts.of([it[0]])]
    for host, side, version in others:
        text = f"{host}: docker-{side} {version or 'does not say its version'}, most are {usual}"
        yield Finding("warn", text, "upgrade it, or finish the upgrade of the others", UPGRADE)
    if not others:
        haproxies = sorted({it.haproxy for it in fleet.proxies.values() if it.haproxy})
        yield Finding("ok", f"all sidecars are of Tandem {usual}; HAProxy {listed(haproxies)}")


def _starts(hosts: Hosts) -> Iterator[Finding]:
    """Say how fast containers come into HAProxy: of all hosts, the slowest."""
    slowest: list[str] = []
    for where, words in (("own", "on their own host"), ("other", "on others")):
        found = [
            (_whole(fact.get("p90_ms")), host)
            for host in hosts.of(hosts.told)
            if (fact := _start(hosts.told[host].facts, where))
        ]
        if found:
            p90_ms, host = max(found)
            slowest.append(f"{p90_ms} ms {words} (slowest: {host})")
    if slowest:
        text = f"nine of ten started containers are in HAProxy within {', '.join(slowest)}"
        yield Finding("ok", text)


def _start(facts: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    starts = facts.get("start_to_applied")
    fact = starts.get(where) if isinstance(starts, dict) else None
    return fact if isinstance(fact, dict) else {}


def _unreadable(hosts: Hosts) -> Iterator[Finding]:
    keys: Sequence[str] = sorted(hosts.fleet.unreadable)
    if keys:
        text = f"keys that cannot be read: {listed(keys)}"
        yield Finding("warn", text, "find out who wrote them", "reasons.md#docker-discover")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
