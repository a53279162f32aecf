"""Leave this host's records to the next life of this container, however long that takes.

The engine starts that life, and may be away for minutes. So all records are put, as they are, under
a lease that nobody keeps alive and that is as long as an engine may be away.
"""

from catalog.entries import Put
from catalog.errors import Conflict, Unavailable
from catalog.keys import instances_root
from catalog.store import Store
from register.docker.mount import is_dead
from register.records.changes import Changes, batches
from register.records.host_state import LISTED_WITHIN_S, HostLease, HostState

# An engine without live-restore ends this container too, at once: then it need not end itself.
PATIENCE_S = 3.0


class DeadMount:
    """Decides when only another start of this container can find the engine again."""

    def __init__(self, docker_host: str, state: HostState) -> None:
        self._docker_host = docker_host
        self._state = state
        self._since_s: float | None = None

    def is_final(self, now_s: float) -> bool:
        """Whether the mount has been dead for a while, and the engine would start us again."""
        if not self._state.comes_back or not is_dead(self._docker_host):
            self._since_s = None
            return False

        self._since_s = now_s if self._since_s is None else self._since_s
        return now_s - self._since_s >= PATIENCE_S


def leave_records(store: Store, prefix: str, host: str, lease: HostLease) -> None:
    """Put the host's records and its owner key again, under a longer lease. Raises Unavailable.

    The owner key comes last: until then every put is fenced by it.
    """
    entries = store.list(instances_root(prefix, host)).entries
    owner = store.get(lease.owner_key)
    puts = tuple(Put(entry.key, entry.value, entry.mod_revision) for entry in entries)

    longer = store.grant(int(LISTED_WITHIN_S))
    try:
        for batch in batches(Changes(puts)):
            store.write(batch, lease=longer, fence=lease.fence)
        if owner is not None:
            store.write([Put(owner.key, owner.value, lease.revision)], lease=longer)
    except Conflict as error:
        raise Unavailable(f"cannot leave the records to the next life: {error}") from error
