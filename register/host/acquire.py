"""Put a host's owner key, and with it acquire the right to write for the host.

Whether the host may be acquired is decided elsewhere.
"""

from dataclasses import dataclass

from catalog.entries import Entry, Fence, Put
from catalog.errors import Conflict
from catalog.store import Store
from register.host.owner import HostOwner, encode
from register.records.host_state import HostLease

KEEPALIVES_PER_TTL = 3  # after one that got lost the next still has a third of the TTL


@dataclass(frozen=True, slots=True)
class Acquired:
    """A host lease just acquired.

    The old lease, 0 if there is none, has to live until everything stands under the new one.
    """

    lease: HostLease
    adopted: bool
    old_lease: int


def acquire(
    store: Store,
    key: str,
    entry: Entry | None,
    owner: HostOwner,
    ttl_s: int,
    *,
    any_ttl: bool,
    fence: Fence | None,
) -> Acquired:
    """Put the owner key over `entry`, which was read there; adopt its lease if the TTL is right.

    Raises Conflict if another registrar was faster, or if the fence does not hold.
    """
    granted_s = store.keep_alive(entry.lease) if entry and entry.lease else 0
    adopted = granted_s > 0 if any_ttl else granted_s == ttl_s
    lease = entry.lease if entry and adopted else store.grant(ttl_s)

    expected = entry.mod_revision if entry else 0
    put = Put(key, encode(owner), expected)
    try:
        revision = store.write([put], lease=lease, fence=fence)
    except Conflict:
        if not adopted:
            store.revoke(lease)
        raise

    old_lease = entry.lease if entry and granted_s and not adopted else 0
    return Acquired(HostLease(lease, key, revision), adopted, old_lease)
