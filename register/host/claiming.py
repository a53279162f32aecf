"""Take a host's owner key, and with it the right to write for that host. Decides nothing about whose it may be."""

from dataclasses import dataclass

from catalog.entries import Entry, Fence, Put
from catalog.errors import Conflict
from catalog.store import Store
from register.host.owner import Owner, encode
from register.records.standing import Claim


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim just made. `old_lease` lives on until everything stands under the new one; 0: there is none."""

    claim: Claim
    adopted: bool
    old_lease: int


def take(
    store: Store,
    key: str,
    entry: Entry | None,
    owner: Owner,
    ttl_s: int,
    *,
    any_ttl: bool,
    fence: Fence | None,
) -> Taken:
    """Write the owner key over `entry`, what was read there, and adopt its lease if that has the right TTL.

    Raises Conflict if somebody was faster, or if the fence does not hold.
    """
    granted_s = store.keep_alive(entry.lease) if entry and entry.lease else 0
    adopted = granted_s > 0 if any_ttl else granted_s == ttl_s
    lease = entry.lease if entry and adopted else store.grant(ttl_s)
    expected = entry.mod_revision if entry else 0
    try:
        revision = store.write([Put(key, encode(owner), expected)], lease=lease, fence=fence)
    except Conflict:
        if not adopted:
            store.revoke(lease)
        raise
    return Taken(
        Claim(lease, key, revision),
        adopted,
        entry.lease if entry and granted_s and not adopted else 0,
    )
