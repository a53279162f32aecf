"""Why an instance that was in the catalog is no longer there. No I/O, no clock.

A delete does not say why; its neighbours do. A registrar deletes instances while its owner key
lives. The end of a lease takes the owner key and the instances of one host in one revision, and
never those of two. What a drained host lacks was meant to go, however it went.

A listing says the same by the owner key that it still has: the very one as before, a new one (the
host was away and is back), or none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Literal

from catalog.entries import Batch, Event
from catalog.errors import Rejected
from catalog.keys import InstanceKey, Key, OwnerKey, parse_key
from discover.snapshot.snapshot import Record, Snapshot

Reason = Literal["deleted", "expired", "unreadable", "wiped", "rewound"]
Departures = Mapping[str, Reason]


def is_rewound(before: Snapshot, after: Snapshot) -> bool:
    """Whether the store is another one, or one of an earlier day: then it proves nothing gone."""
    if before.cluster == 0:
        return False
    return before.cluster != after.cluster or after.revision < before.revision


def in_listing(before: Snapshot, after: Snapshot) -> Departures:
    """Return why each record of `before` that a new listing lacks is gone."""
    rewound = is_rewound(before, after)
    missing = {
        key: record
        for key, record in before.records.items()
        if after.record(record.key, key) is None
    }
    return {
        key: _by_owner(key, record, before, after, rewound=rewound)
        for key, record in missing.items()
    }


def _by_owner(
    key: str, record: Record, before: Snapshot, after: Snapshot, *, rewound: bool
) -> Reason:
    if key in after.refused:
        return "unreadable"
    if rewound:
        return "rewound"

    host = record.key.host
    if host in after.drained or not record.leased:
        return "deleted"

    owner = after.owners.get(host)
    is_same_owner = owner is not None and owner == before.owners.get(host)
    return "deleted" if is_same_owner else "expired"


def in_batch(prefix: str, before: Snapshot, batch: Batch, after: Snapshot) -> Departures:
    """Return why each record of `before` that a batch took away is gone."""
    reading = _Reading(before, after, owners=set(before.owners))
    for _, events in groupby(batch.events, attrgetter("revision")):
        reading.take(_changes(prefix, events))

    return reading.departures()


@dataclass(frozen=True, slots=True)
class _Change:
    """What an event did to a key of ours: put or delete it."""

    text: str
    key: Key
    is_put: bool


@dataclass(frozen=True, slots=True)
class _Departure:
    """Why the record under a key is gone, if it is gone in the end."""

    key: InstanceKey
    reason: Reason


@dataclass(slots=True)
class _Reading:
    """What the revisions of a batch have said so far."""

    before: Snapshot
    after: Snapshot
    owners: set[str]  # hosts that have their owner key
    possible: dict[str, _Departure] = field(default_factory=dict)

    def take(self, changes: list[_Change]) -> None:
        """Take the changes of one revision."""
        lost: set[str] = set()
        for change in changes:
            if isinstance(change.key, OwnerKey):
                hosts = self.owners if change.is_put else lost
                hosts.add(change.key.host)
        self.owners -= lost

        for change in changes:
            if isinstance(change.key, InstanceKey):
                reason = self._reason(change, change.key, lost)
                if reason is not None:
                    self.possible[change.text] = _Departure(change.key, reason)

    def _reason(self, change: _Change, key: InstanceKey, lost: set[str]) -> Reason | None:
        """Return why the record is gone if it is; None to leave that as it is."""
        if change.is_put:
            # Put again, and nobody has seen it so yet. If it goes in this batch too, the old
            # address is no longer its own, and the new one was never called.
            return "unreadable" if change.text in self.after.refused else "deleted"

        record = self.before.record(key, change.text)
        if record is None or change.text in self.possible:
            return None
        return self._by_neighbours(record, lost)

    def _by_neighbours(self, record: Record, lost: set[str]) -> Reason:
        if len(lost) > 1:
            return "wiped"

        host = record.key.host
        if host in self.owners or host in self.after.drained or not record.leased:
            return "deleted"
        return "expired"

    def departures(self) -> Departures:
        """Return the reasons for what is gone in the end."""
        return {
            text: departure.reason
            for text, departure in self.possible.items()
            if self.after.record(departure.key, text) is None
        }


def _changes(prefix: str, events: Iterable[Event]) -> list[_Change]:
    """Return what events did to keys of ours."""
    changes = []
    for event in events:
        try:
            key = parse_key(prefix, event.key)
        except Rejected:
            continue
        changes.append(_Change(event.key, key, is_put=event.entry is not None))
    return changes
