"""Why an instance that was in the catalog is no longer there. No I/O, no clock.

A delete does not say why; its neighbours do. A registrar deletes instances while its owner key lives. The end of a
lease takes owner and instances of one host in one revision, and never those of two. What a host lacks that is marked as
drained was meant to go, whoever saw how. A listing says the same by
what it still has: the very owner key as before, a new one (the host was away and is back), or none.
"""

from collections.abc import Iterable, Mapping
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
    """Whether the store behind the address is another one, or one of an earlier day: it proves nothing gone."""
    return before.cluster != 0 and (
        before.cluster != after.cluster or after.revision < before.revision
    )


def in_listing(before: Snapshot, after: Snapshot) -> Departures:
    """Return why each record of `before` that a new listing lacks is gone."""
    rewound = is_rewound(before, after)
    missing = {
        key: record
        for key, record in before.records.items()
        if after.record(record.key, key) is None
    }
    return {key: _why(record, key, before, after, rewound) for key, record in missing.items()}


def _why(record: Record, key: str, before: Snapshot, after: Snapshot, rewound: bool) -> Reason:
    if key in after.refused:
        return "unreadable"
    if rewound:
        return "rewound"
    if record.key.host in after.drained:
        return "deleted"
    owner = after.owners.get(record.key.host)
    same_owner = owner is not None and owner == before.owners.get(record.key.host)
    return "deleted" if same_owner or not record.leased else "expired"


def in_batch(prefix: str, before: Snapshot, batch: Batch, after: Snapshot) -> Departures:
    """Return why each record of `before` that a batch took away is gone."""
    owners = set(before.owners)
    why: dict[str, tuple[InstanceKey, Reason]] = {}
    for _, group in groupby(batch.events, attrgetter("revision")):
        events = [(event, name) for event in group if (name := _parsed(prefix, event)) is not None]
        over = {
            name.host
            for event, name in events
            if isinstance(name, OwnerKey) and event.entry is None
        }
        owners |= {
            name.host
            for event, name in events
            if isinstance(name, OwnerKey) and event.entry is not None
        }
        owners -= over
        for event, name in events:
            if not isinstance(name, InstanceKey):
                continue
            if event.entry is not None:
                # Put again, and not seen as that by anybody yet: if it goes in this batch too, the old address is no
                # longer its own, and the new one was never called.
                why[event.key] = name, "unreadable" if event.key in after.refused else "deleted"
            elif event.key not in why and (record := before.record(name, event.key)) is not None:
                why[event.key] = name, _by_neighbours(record, owners | after.drained, over)
    return {key: reason for key, (name, reason) in why.items() if after.record(name, key) is None}


def _by_neighbours(record: Record, owners: Iterable[str], over: set[str]) -> Reason:
    if len(over) > 1:
        return "wiped"
    return "deleted" if record.key.host in owners or not record.leased else "expired"


def _parsed(prefix: str, event: Event) -> Key | None:
    try:
        return parse_key(prefix, event.key)
    except Rejected:
        return None
