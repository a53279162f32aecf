"""The state of the catalog: what etcd has, what of it is believed, what follows. No I/O, no clock.

A store that was restored from a backup, or is another one, is rewound: what it says may be of an
earlier day. An old record may name an address that has gone to another service since, whose
callers would then reach the wrong program. So a record that differs from what was known is
believed once it is written again, or after a while: by then the lease of a registrar that is gone
has ended, and one that lives has put its host's records right.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from discover.snapshot.departures import Departures, Reason, is_rewound
from discover.snapshot.holds import believed_holds
from discover.snapshot.port_claims import believed_claims
from discover.snapshot.snapshot import EMPTY, Record, Service, Snapshot
from discover.snapshot.suspects import (
    UNCHECKED,
    CheckResult,
    Endpoints,
    MergedServices,
    Suspect,
    Suspects,
    contradiction,
    expiry,
    may_go_unchecked,
    with_check,
    with_host,
    with_suspects,
)

REWOUND_S = 60.0  # four times a lease's default TTL, twice docker-register's resync
TOGETHER_S = 60.0  # hosts that go within this ...
FEW_HOSTS = 2  # ... and are more than this ...
PART = 0.5  # ... and this part of all hosts, are a mass
_STORE_AT_FAULT: frozenset[Reason] = frozenset({"wiped", "rewound"})


@dataclass(frozen=True, slots=True)
class Rewound:
    """The keys of a rewound store that are not believed, and until when.

    `revision` is the one at which the store was found to be rewound; 0: it is not.
    """

    unbelieved: frozenset[str] = frozenset()
    revision: int = 0
    until_s: float = math.inf

    @staticmethod
    def found(stored: Snapshot, known: Mapping[str, Record], now_s: float) -> "Rewound":
        """Return what not to believe of a store that was just found to be rewound."""
        differing = (
            key
            for key, record in stored.records.items()
            if key not in known or known[key].instance != record.instance
        )
        return Rewound(frozenset(differing), stored.revision, now_s + REWOUND_S)

    def after(self, stored: Snapshot, now_s: float) -> "Rewound":
        """Return what is still not to be believed of the store's next state."""
        if self.revision == 0 or now_s >= self.until_s:
            return NOT_REWOUND
        if not self.unbelieved:
            return self

        unwritten = (
            key
            for key, record in stored.records.items()
            if key in self.unbelieved and record.modified <= self.revision
        )
        return replace(self, unbelieved=frozenset(unwritten))

    def believed(self, stored: Snapshot) -> Snapshot:
        """Return what the store says, without what is not believed."""
        if not self.unbelieved:
            return stored

        services: dict[str, Service] = {}
        for name, service in stored.services.items():
            if self.unbelieved.isdisjoint(service.records):
                services[name] = service
                continue

            records = service.records.items()
            left = {key: record for key, record in records if key not in self.unbelieved}
            if left:
                services[name] = Service.of(left)

        return replace(stored, services=services)


NOT_REWOUND = Rewound()


@dataclass(frozen=True, slots=True)
class State:
    """What is known of the catalog; `view` is the snapshot to apply."""

    stored: Snapshot = EMPTY  # what etcd has
    catalog: Snapshot = EMPTY  # what of it is believed
    rewound: Rewound = NOT_REWOUND
    suspects: Suspects = field(default_factory=dict)
    # Hosts whose lease ended a short while ago, and when.
    expired: Mapping[str, float] = field(default_factory=dict)
    view: Snapshot = EMPTY
    merged: MergedServices = field(default_factory=dict)  # services of `view` with suspects
    dropped: Mapping[str, str] = field(default_factory=dict)  # by the last step, and why

    @property
    def frozen(self) -> int:
        """How many suspects are frozen."""
        return sum(suspect.frozen for suspect in self.suspects.values())


def started(catalog: Snapshot, suspects: Suspects) -> State:
    """Return the state that an earlier life left."""
    return _viewed(State(stored=catalog, catalog=catalog), suspects, dropped={})


def learn(
    state: State,
    stored: Snapshot,
    departures: Departures,
    now_s: float,
    seen_s: float | None = None,
) -> State:
    """Return the state once etcd has `stored` this.

    What departed was last there at `seen_s`; None: just now.
    """
    if _is_foreign(state.catalog, stored):
        state, departures = State(), {}

    rewound = _rewound(state, stored, now_s)
    catalog = _believed(state, stored, departures, rewound)
    if rewound.unbelieved:
        hidden = rewound.unbelieved & state.catalog.records.keys()
        departures = {**departures, **dict.fromkeys(hidden, "rewound")}

    expired = _expired(state, catalog, now_s)
    since_s = now_s if seen_s is None else min(seen_s, now_s)
    unproved = {
        **_unproved_still(state.suspects, departures),
        **_unproved_now(state.catalog, departures, since_s),
    }
    after = replace(state, stored=stored, catalog=catalog, rewound=rewound, expired=expired)
    if not unproved:
        return _viewed(after, {}, dropped={})

    frozen = _is_mass(departures, expired, catalog)
    active = _active_hosts(catalog, since=rewound.revision)
    suspects = {
        key: with_host(suspect, catalog, active, now_s, frozen=frozen)
        for key, suspect in unproved.items()
    }
    return _kept(after, suspects, _contradicted(suspects, catalog), now_s)


def checked(state: State, results: Mapping[str, CheckResult], now_s: float) -> State:
    """Return the state once HAProxy has said how the suspects' checks go, and time has passed."""
    dropped: Mapping[str, str] = {}
    if now_s >= state.rewound.until_s:
        state = learn(state, state.stored, {}, now_s)
        dropped = state.dropped

    suspects = {
        key: with_check(suspect, results.get(key), now_s) for key, suspect in state.suspects.items()
    }
    unchecked = [
        key
        for key, suspect in suspects.items()
        if results.get(key) == "unchecked" and may_go_unchecked(suspect, now_s)
    ]
    return _kept(state, suspects, {**dropped, **dict.fromkeys(unchecked, UNCHECKED)}, now_s)


def _is_foreign(before: Snapshot, after: Snapshot) -> bool:
    """Whether what was known came with the disk of another host, of another cluster."""
    return before.written_by != "" and before.cluster != after.cluster


def _rewound(state: State, stored: Snapshot, now_s: float) -> Rewound:
    if not is_rewound(state.catalog, stored):
        return state.rewound.after(stored, now_s)

    called = {key: suspect.record for key, suspect in state.suspects.items()}
    return Rewound.found(stored, {**called, **state.catalog.records}, now_s)


def _believed(state: State, stored: Snapshot, departures: Departures, rewound: Rewound) -> Snapshot:
    wiped = is_rewound(state.catalog, stored) or _is_store_at_fault(departures)
    claims = believed_claims(state.catalog, state.stored, stored, wiped=wiped)
    holds = believed_holds(
        state.catalog, state.stored, stored, wiped=wiped, rewound=rewound.revision
    )
    return replace(rewound.believed(stored), claims=claims, holds=holds)


def _is_store_at_fault(departures: Departures) -> bool:
    return not _STORE_AT_FAULT.isdisjoint(departures.values())


def _expired(state: State, catalog: Snapshot, now_s: float) -> Mapping[str, float]:
    """Return the hosts whose lease ended a short while ago, and when."""
    lost = dict.fromkeys(state.catalog.owners.keys() - catalog.owners.keys(), now_s)
    # A host that goes as planned is no sign of a store that loses hosts.
    known = catalog.owners.keys() | catalog.drained
    return {
        host: at_s
        for host, at_s in {**state.expired, **lost}.items()
        if host not in known and now_s - at_s <= TOGETHER_S
    }


def _is_mass(departures: Departures, expired: Mapping[str, float], catalog: Snapshot) -> bool:
    """Whether so many hosts are gone together that the store is the likelier culprit."""
    if _is_store_at_fault(departures):
        return True
    return len(expired) > FEW_HOSTS and len(expired) >= PART * (len(expired) + len(catalog.owners))


def _unproved_still(suspects: Suspects, departures: Departures) -> Suspects:
    return {key: suspect for key, suspect in suspects.items() if departures.get(key) != "deleted"}


def _unproved_now(catalog: Snapshot, departures: Departures, since_s: float) -> Suspects:
    unproved = {key: reason for key, reason in departures.items() if reason != "deleted"}
    if not unproved:
        return {}

    records = catalog.records
    return {
        key: Suspect(records[key], reason, since_s)
        for key, reason in unproved.items()
        if key in records
    }


def _active_hosts(catalog: Snapshot, since: int) -> frozenset[str]:
    """Return the hosts that put instances after a revision.

    One that has only acquired its owner key may have no list of its instances yet.
    """
    active: set[str] = set()
    for service in catalog.services.values():
        active.update(
            record.key.host for record in service.records.values() if record.modified > since
        )
    return frozenset(active)


def _contradicted(suspects: Suspects, catalog: Snapshot) -> Mapping[str, str]:
    """Return the suspects that the catalog makes none any more, and why."""
    taken = Endpoints().union(*(service.endpoints for service in catalog.services.values()))
    found = {key: contradiction(key, suspect, catalog, taken) for key, suspect in suspects.items()}
    return {key: why for key, why in found.items() if why is not None}


def _kept(state: State, suspects: Suspects, dropped: Mapping[str, str], now_s: float) -> State:
    """Return the state without the suspects that are dropped, or go by now."""
    gone = dict(dropped)
    kept = {}
    for key, suspect in suspects.items():
        if key in dropped:
            continue

        why = expiry(suspect, now_s)
        if why is None:
            kept[key] = suspect
        else:
            gone[key] = why

    return _viewed(state, kept, gone)


def _viewed(state: State, suspects: Suspects, dropped: Mapping[str, str]) -> State:
    """Return the state with these suspects, and the view that follows."""
    view, merged = with_suspects(state.catalog, suspects, state.merged)
    return replace(state, suspects=suspects, dropped=dropped, merged=merged, view=view)
