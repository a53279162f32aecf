"""Which holds are to be written: pure, from what services use and what etcd has."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from catalog.errors import Rejected
from catalog.keys import HoldKey, InstanceKey, parse_key
from catalog.records.hold import Hold
from discover.claims.uses import (
    Use,
    UsesByService,
    age_of_use,
    is_used,
    service_of,
    uses_of,
)
from discover.snapshot.belongs import Held
from discover.snapshot.holds import port_key
from discover.snapshot.snapshot import Snapshot

_NOTHING: frozenset[Use] = frozenset()


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be written.

    `new` gives things to holders. `back` are holds of holders that are back: they lose their lease.
    `idle` are holds of holders without instances: they get a lease, after a while. `instead` are
    holds that a store has from a backup: what they say of an earlier day, `new` puts right.
    """

    new: Mapping[HoldKey, str]
    back: Mapping[HoldKey, Held]
    idle: Mapping[HoldKey, Held]
    instead: Mapping[HoldKey, Held]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when it is decided: all of it at one moment.

    `view` is what this host applies of what the store has. `holders` are the services that have a
    port on this host now: each of them keeps it.
    """

    view: Snapshot
    stored: Snapshot
    uses: UsesByService
    domain: str
    holders: Mapping[int, str]
    # Holds that are there and cannot be read: they are never overwritten.
    unreadable: Set[HoldKey] = frozenset()
    # Services with a record that only another version may be able to read: they are there.
    unread: Set[str] = frozenset()


def due(known: Known) -> Due:
    """Return what is to be written."""
    back: dict[HoldKey, Held] = {}
    idle: dict[HoldKey, Held] = {}
    instead: dict[HoldKey, Held] = {}

    for key, held in known.stored.holds.items():
        if (believed := known.view.holds.get(key)) and believed.holder != held.holder:
            instead[key] = held
            continue

        name = service_of(key, held.holder)
        used = known.uses.get(name, _NOTHING)
        if is_used(key, held.hold, known.view.services.get(name), used, known.domain):
            if held.leased and _is_stored(key, held.hold, known):
                back[key] = held
        elif not held.leased and name not in known.unread:
            idle[key] = held

    return Due(_new(known, instead), back, idle, instead)


def _is_stored(key: HoldKey, hold: Hold, known: Known) -> bool:
    """Whether a holder is back in etcd, and not only a suspect that may go."""
    name = service_of(key, hold.holder)
    service = known.stored.services.get(name)
    if service is None:
        return False
    return is_used(key, hold, service, uses_of(name, service, known.domain), known.domain)


def _new(known: Known, instead: Mapping[HoldKey, Held]) -> Mapping[HoldKey, str]:
    """Return what is to be held, and by whom.

    What the store lost with all else goes to the same holder again. A port that is claimed from
    PORT_RANGE needs no hold. A suspect takes nothing that is free.
    """
    stored = known.stored.holds.keys() - instead.keys()
    new = {key: held.holder for key, held in known.view.holds.items() if key not in stored}
    settled = stored | new.keys() | known.unreadable
    claimed = {port_key(claim.port) for claim in known.view.claims.values()}
    asking: dict[HoldKey, list[Use]] = {}

    for used in known.uses.values():
        for use in used:
            if use.key in settled or use.key in claimed:
                continue
            if _is_stored(use.key, Hold(use.holder, since=""), known):
                asking.setdefault(use.key, []).append(use)

    return {**new, **{key: _first(uses, known) for key, uses in asking.items()}}


def _first(asking: list[Use], known: Known) -> str:
    """Return the holder among those that ask for a thing: who has it here, else the oldest."""
    key = asking[0].key
    has_it = known.holders.get(int(key.thing)) if key.kind == "port" else None
    if any(use.holder == has_it for use in asking):
        return str(has_it)

    def age(use: Use) -> tuple[int, str]:
        service = known.view.services[service_of(use.key, use.holder)]
        return age_of_use(use, service), use.holder

    return min(asking, key=age).holder


def unreadable(prefix: str, stored: Snapshot) -> Iterable[HoldKey | InstanceKey]:
    """Yield the keys of holds and instances whose values cannot be read."""
    for text in stored.refused:
        try:
            key = parse_key(prefix, text)
        except Rejected:
            continue
        if isinstance(key, HoldKey | InstanceKey):
            yield key
