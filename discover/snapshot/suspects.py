"""Removal needs evidence: who is called although etcd no longer names it, and for how long. No I/O, no clock.

What was deleted while its host's lease lived is gone at once. What merely lost its lease is a suspect: it is called on
while HAProxy's own check of it passes, and goes when the check fails, when another record claims its address, when its
host is back without it, or after a grace. Where a mass of hosts lost their leases together, or the store itself was
wiped or restored, the store is the likelier culprit, and one observer's checks are no proof either: a blip of this
host's own network would fail them all. Such suspects are frozen: HAProxy itself calls none whose check fails, but only
ten minutes of failing without a break take one away. Each leaves by itself, and the freeze ends with the last. What
such a store says that was not known is doubted for a while.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from discover.snapshot.departures import Departures, Reason, is_rewound
from discover.snapshot.port_claims import believed
from discover.snapshot.rewound import NONE, Doubts
from discover.snapshot.snapshot import EMPTY, Owner, Record, Service, Snapshot

GRACE_S = 600.0
HARD_STOP_S = 24 * 3600.0  # of a freeze
RETURN_S = (
    30.0  # docker-register's resync: a host that is back has by then listed all containers, twice
)
UNREADABLE_S = (
    15.0  # a lease's default TTL; the record stands there, but says nothing that can be read
)
UNCHECKED_S = 60.0  # in a freeze; a registrar finds a wiped store in a third of its TTL, and puts all records again
TOGETHER_S = 60.0  # hosts that go within this ...
FEW_HOSTS = 2  # ... and are more than this ...
PART = 0.5  # ... and this part of all hosts, are a mass

Verdict = Literal["passing", "failing", "unchecked"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """One instance that is called although etcd no longer names it."""

    record: Record
    reason: Reason
    since_s: float
    frozen: bool = False
    failing_s: float | None = None  # since when its check has failed without a break
    returned_s: float | None = None  # since when its host's lease lives again, and has instances

    @property
    def until_s(self) -> float:
        """When it goes even if its check passes."""
        if self.reason == "unreadable":
            return self.since_s + UNREADABLE_S
        ends_s = self.since_s + (HARD_STOP_S if self.frozen else GRACE_S)
        if self.record.instance.check.kind == "none":
            ends_s = min(ends_s, self.since_s + UNCHECKED_S)
        return ends_s if self.returned_s is None else min(ends_s, self.returned_s + RETURN_S)


Suspects = Mapping[str, Suspect]
_Merged = tuple[Service | None, tuple[str, ...], frozenset[str], Service]


@dataclass(frozen=True, slots=True)
class State:
    """What etcd says, who is a suspect, what the last step dropped and why, and `view`, which is what to apply."""

    catalog: Snapshot = EMPTY  # what is believed of `told`
    told: Snapshot = EMPTY
    doubts: Doubts = NONE
    suspects: Suspects = field(default_factory=dict)
    expired: Mapping[str, float] = field(
        default_factory=dict
    )  # hosts whose lease ended a short while ago, and when
    view: Snapshot = EMPTY
    dropped: Mapping[str, str] = field(default_factory=dict)
    merged: Mapping[str, _Merged] = field(
        default_factory=dict
    )  # of `view`: a service is the same object until it changes

    @property
    def frozen(self) -> int:
        """How many suspects are frozen."""
        return sum(suspect.frozen for suspect in self.suspects.values())


def started(catalog: Snapshot, suspects: Suspects) -> State:
    """Return the state that an earlier life left."""
    return _viewed(State(catalog=catalog, told=catalog), suspects, {})


def learn(
    state: State, told: Snapshot, departures: Departures, now_s: float, seen_s: float | None = None
) -> State:
    """Return the state once etcd has `told` this; what departed was last there at `seen_s`, else now."""
    if _is_foreign(state.catalog, told):
        state, departures = State(), {}
    doubts = state.doubts.at(_known(state, told), state.catalog, told, now_s)
    wiped = is_rewound(state.catalog, told) or not {"wiped", "rewound"}.isdisjoint(
        departures.values()
    )
    claims = believed(state.catalog, state.told, told, wiped=wiped)
    after = replace(doubts.believed(told), claims=claims)
    if doubts.keys:
        departures = {
            **departures,
            **dict.fromkeys(doubts.keys & state.catalog.records.keys(), "rewound"),
        }
    expired = _expired(state, after, now_s)
    stale = {key: s for key, s in state.suspects.items() if departures.get(key) != "deleted"}
    frozen = _is_mass(departures, expired, after)
    since_s = now_s if seen_s is None else min(seen_s, now_s)
    fresh = _fresh(state.catalog, departures, since_s)
    unsure = {**stale, **fresh}
    active = _active(after, doubts.revision) if unsure else frozenset[str]()
    suspects = {key: _seen(s, after, active, frozen, now_s) for key, s in unsure.items()}
    taken = _endpoints(after) if suspects else frozenset[tuple[str, int]]()
    dropped = {
        key: why
        for key, s in suspects.items()
        if (why := _contradicted(key, s, after, taken)) is not None
    }
    return _kept(
        replace(state, catalog=after, told=told, doubts=doubts, expired=expired),
        suspects,
        dropped,
        now_s,
    )


def judge(state: State, verdicts: Mapping[str, Verdict], now_s: float) -> State:
    """Return the state once HAProxy has said how the checks of suspects go, and time has passed."""
    dropped: Mapping[str, str] = {}
    if now_s >= state.doubts.until_s:
        state = learn(state, state.told, {}, now_s)
        dropped = state.dropped
    judged = {key: _judged(s, verdicts.get(key), now_s) for key, s in state.suspects.items()}
    unchecked = (
        key
        for key, s in judged.items()
        if verdicts.get(key) == "unchecked" and _is_unvouched(s, now_s)
    )
    return _kept(
        state, judged, {**dropped, **dict.fromkeys(unchecked, "no check vouches for it")}, now_s
    )


def _is_foreign(before: Snapshot, after: Snapshot) -> bool:
    """Whether what was known came with the disk of another host and of another cluster."""
    return before.origin != "" and before.cluster != after.cluster


def _known(state: State, told: Snapshot) -> Mapping[str, Record]:
    """Return all that was called until now, if the store went back."""
    if not is_rewound(state.catalog, told):
        return {}
    return {
        **{key: suspect.record for key, suspect in state.suspects.items()},
        **state.catalog.records,
    }


def _expired(state: State, after: Snapshot, now_s: float) -> Mapping[str, float]:
    lost = dict.fromkeys(state.catalog.owners.keys() - after.owners.keys(), now_s)
    known = {**state.expired, **lost}
    there = (
        after.owners.keys() | after.drained
    )  # who goes as planned is no sign of a store that loses hosts
    return {
        host: at for host, at in known.items() if host not in there and now_s - at <= TOGETHER_S
    }


def _is_mass(departures: Departures, expired: Mapping[str, float], after: Snapshot) -> bool:
    if not {"wiped", "rewound"}.isdisjoint(departures.values()):
        return True
    return len(expired) > FEW_HOSTS and len(expired) >= PART * (len(expired) + len(after.owners))


def _fresh(catalog: Snapshot, departures: Departures, since_s: float) -> Suspects:
    unproved = {key: reason for key, reason in departures.items() if reason != "deleted"}
    if not unproved:
        return {}
    records = catalog.records
    return {
        key: Suspect(records[key], reason, since_s)
        for key, reason in unproved.items()
        if key in records
    }


def _seen(
    suspect: Suspect, after: Snapshot, active: frozenset[str], frozen: bool, now_s: float
) -> Suspect:
    """Return a suspect with what a new catalog says of its host."""
    if suspect.reason == "unreadable":
        return suspect
    host, returned_s = suspect.record.key.host, suspect.returned_s
    if host not in after.owners:
        returned_s = None
    elif returned_s is None and host in active:
        returned_s = now_s
    return replace(suspect, returned_s=returned_s, frozen=frozen or suspect.frozen)


def _active(catalog: Snapshot, since: int) -> frozenset[str]:
    """Return the hosts that put instances after a revision; one that only claimed may have no list of them yet."""
    records = (
        record for service in catalog.services.values() for record in service.records.values()
    )
    return frozenset(record.key.host for record in records if record.modified > since)


def _endpoints(catalog: Snapshot) -> frozenset[tuple[str, int]]:
    return frozenset().union(*(service.endpoints for service in catalog.services.values()))


def _contradicted(
    key: str, suspect: Suspect, after: Snapshot, taken: frozenset[tuple[str, int]]
) -> str | None:
    """Return why a suspect is none any more, whatever its check says."""
    record = suspect.record
    if (aside := _aside(suspect, after)) is not None:
        return aside
    if after.record(record.key, key) is not None:
        return "it is back"
    if suspect.reason == "unreadable":
        if key not in after.refused:
            return "its key is deleted"
    elif record.instance.on_absence == "drop":
        return "it asked to go with its host's lease"
    if record.endpoint in taken:
        return "another record has its address"
    service = after.services.get(record.key.service)
    return "another host announces it" if service and record.key.name in service.names else None


def _aside(suspect: Suspect, after: Snapshot) -> str | None:
    host = suspect.record.key.host
    if host in after.purged:
        return "its host is purged"
    return "its host is drained" if suspect.reason == "expired" and host in after.drained else None


def _judged(suspect: Suspect, verdict: Verdict | None, now_s: float) -> Suspect:
    if verdict == "failing" and suspect.failing_s is None:
        return replace(suspect, failing_s=now_s)
    return replace(suspect, failing_s=None) if verdict == "passing" else suspect


def _is_unvouched(suspect: Suspect, now_s: float) -> bool:
    return not suspect.frozen or now_s >= suspect.since_s + UNCHECKED_S


def _over(suspect: Suspect, now_s: float) -> str | None:
    """Return why a suspect goes now; None while it stays."""
    if suspect.failing_s is not None:
        patient = suspect.frozen and suspect.returned_s is None
        if now_s >= suspect.failing_s + (GRACE_S if patient else 0.0):
            return "its check fails"
    if (
        suspect.record.instance.check.kind == "none"
        and suspect.reason != "unreadable"
        and not suspect.frozen
    ):
        return "no check vouches for it"
    if now_s < suspect.until_s:
        return None
    back = suspect.returned_s is not None and now_s >= suspect.returned_s + RETURN_S
    return "its host is back without it" if back else "nobody has renewed it for too long"


def _kept(state: State, suspects: Suspects, dropped: Mapping[str, str], now_s: float) -> State:
    late = {
        key: why
        for key, s in suspects.items()
        if key not in dropped and (why := _over(s, now_s)) is not None
    }
    gone = {**dropped, **late}
    return _viewed(state, {key: s for key, s in suspects.items() if key not in gone}, gone)


def _viewed(state: State, suspects: Suspects, dropped: Mapping[str, str]) -> State:
    """Return the state with these suspects, and the view that follows; services that are as before stay as they are."""
    catalog, overlay = state.catalog, dict[str, tuple[str, ...]]()
    for key, suspect in suspects.items():
        service = suspect.record.key.service
        overlay[service] = (*overlay.get(service, ()), key)
    touched = overlay.keys() | set(_of_hosts(catalog, catalog.purged))
    if not touched:
        return replace(state, suspects=suspects, dropped=dropped, merged={}, view=catalog)
    merged = {
        name: _merge(
            state.merged.get(name),
            catalog.services.get(name),
            overlay.get(name, ()),
            suspects,
            catalog.purged,
        )
        for name in touched
    }
    services = {name: it for name, it in catalog.services.items() if name not in merged}
    services |= {name: it[3] for name, it in merged.items() if it[3].records}
    # Also their hosts: how often servers are checked hangs on how many hosts there are.
    owners = {
        **{suspect.record.key.host: Owner(0) for suspect in suspects.values()},
        **catalog.owners,
    }
    view = replace(catalog, services=services, owners=owners)
    return replace(state, suspects=suspects, dropped=dropped, merged=merged, view=view)


def _of_hosts(catalog: Snapshot, hosts: frozenset[str]) -> Iterable[str]:
    """Return the services that have records of these hosts."""
    if not hosts:
        return ()
    return (
        name
        for name, it in catalog.services.items()
        if any(r.key.host in hosts for r in it.records.values())
    )


def _merge(
    before: _Merged | None,
    base: Service | None,
    keys: tuple[str, ...],
    suspects: Suspects,
    purged: frozenset[str],
) -> _Merged:
    if before is not None and before[0] is base and before[1:3] == (keys, purged):
        return before
    records = (
        {key: r for key, r in base.records.items() if r.key.host not in purged} if base else {}
    )
    return base, keys, purged, Service.of(records | {key: suspects[key].record for key in keys})
