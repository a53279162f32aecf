"""Whose ports, host names and default names are: what the holds in etcd say. No I/O.

A hold is a fact that all hosts share, so it counts before anything that one host could work out
for itself. It counts also while its holder is away: nobody else's reply may come from there.
"""

from collections.abc import Mapping
from dataclasses import replace

from catalog.keys import HoldKey
from discover.snapshot.belongs import Held, Holds
from discover.snapshot.snapshot import Snapshot


def port_key(port: int) -> HoldKey:
    """Return the key of the hold on a service port."""
    return HoldKey("port", str(port))


def route_key(route: str) -> HoldKey:
    """Return the key of the hold on a host and path."""
    return HoldKey("host", route)


def name_key(service: str) -> HoldKey:
    """Return the key of the hold on a service's default name."""
    return HoldKey("name", service)


def held_ports(holds: Holds) -> Mapping[int, str]:
    """Return the service that each held port belongs to, whether it is there or not."""
    return {int(key.thing): held.holder for key, held in holds.items() if key.kind == "port"}


def told(held: Held | None) -> str:
    """Return since when a thing is held and, if its holder is away, until when; for people."""
    if held is None:
        return ""

    since = f" since {held.hold.since}"
    if held.hold.until is None or not held.leased:
        return since

    ends = f"until {held.hold.until} or until docker-discover --release"
    return f"{since}, which has no instance now, {ends}"


def hand_over_of(thing: object, service: str) -> str:
    """Return the command that gives a held thing to another service."""
    return f"docker-discover --hand-over {thing}={service}"


def believed_holds(
    before: Snapshot, stored_before: Snapshot, stored: Snapshot, *, wiped: bool, rewound: int = 0
) -> Holds:
    """Return the holds that count: those `stored`, and those that the store lost with all else.

    `before` is what was believed of `stored_before`. A hold that is gone alone was given up, or
    its time is over. A store that was found restored from a backup at the revision `rewound` may
    name a holder of an earlier day, until somebody writes the hold again.
    """
    if before.holds is stored.holds:
        return stored.holds
    if rewound:
        stored = replace(stored, holds=_put_right(before.holds, stored.holds, rewound))

    missing = before.holds.keys() - stored.holds.keys()
    if not missing:
        return stored.holds

    # Only when the store of a single host is wiped do they leave together with the last host.
    wiped = wiped or bool(before.owners and not stored.owners)
    lost = missing if wiped else missing - stored_before.holds.keys()
    return {**stored.holds, **{key: before.holds[key] for key in lost}} if lost else stored.holds


def _put_right(known: Holds, stored: Holds, rewound: int) -> Holds:
    """Return what is stored, but with the known holder where that is another one."""
    outdated = {
        key: known[key]
        for key, held in stored.items()
        if held.modified <= rewound and key in known and known[key].holder != held.holder
    }
    return {**stored, **outdated}
