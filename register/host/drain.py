"""Take a whole host out of service: what `docker-register --drain` and SIGUSR1 do.

Asks no engine. Whoever drains becomes the host's owner, which fences off every later write of a
registrar that runs, and marks the host, so that no registrar acquires it until the mark is gone.
Every step may be interrupted, by anything: the next drain goes on where this one was.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from catalog.entries import Entry
from catalog.errors import Conflict, Rejected, Unavailable
from catalog.keys import OwnerKey, instances_root, key_of
from catalog.records.record import Instance, encode
from catalog.store import Store
from register.host.acquire import KEEPALIVES_PER_TTL, acquire
from register.host.drain_mark import mark_drained
from register.host.owner import HostOwner, LifeSigns, decode, status_of
from register.records.changes import batches, diff
from register.records.host_state import HostLease
from register.records.own_keys import instances_in
from sidecar.log import Details

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """Which host, and how long its connections have to end.

    HAProxy's connections cannot be seen from here.
    """

    prefix: str
    host: str
    ttl_s: int
    wait_s: float


class Drain:
    """One drain by one owner, which may be run again after Unavailable.

    `pause` waits, and returns whether it was interrupted.
    """

    def __init__(
        self,
        store: Store,
        settings: DrainSettings,
        owner: HostOwner,
        pause: Callable[[float], bool],
    ) -> None:
        self._store = store
        self._settings = settings
        self._owner = owner
        self._pause = pause
        self._owner_key = key_of(settings.prefix, OwnerKey(settings.host))
        self._until_s: float | None = None  # when the wait is over

    def run(self) -> None:
        """Drain the host, or return early if interrupted.

        Raises Unavailable, or Rejected for a host of another machine.
        """
        try:
            self._run()
        except Conflict as error:
            raise Unavailable(f"another registrar writes for this host: {error}") from error

    def _run(self) -> None:
        host = self._settings.host
        entry = self._store.get(self._owner_key)
        self._check_machine(entry)
        mark_drained(self._store, self._settings.prefix, host, by=self._owner.hostname)

        published = self._published()
        if entry is None and not published:
            log.info("drained %s", Details(host=host, instances=0))
            return

        lease = self._acquire(entry)
        self._write(lease, _draining(published))
        wait_s = f"{self._settings.wait_s:g}"
        log.info("draining %s", Details(host=host, instances=len(published), wait_s=wait_s))
        if published and not self._waited(lease):
            return

        self._write(lease, {})
        self._store.revoke(lease.id)
        log.info("drained %s", Details(host=host, instances=len(published)))

    def _check_machine(self, entry: Entry | None) -> None:
        """Raise Rejected if another machine uses the host id: its containers are not ours."""
        if entry is None:
            return
        try:
            other = decode(entry.value)
        except Rejected:
            return  # an owner key that nobody can read protects no host

        if status_of(other, self._owner, LifeSigns(None, None)) == "elsewhere":
            shown = Details(host=self._settings.host, hostname=other.hostname, ip=other.host_ip)
            raise Rejected(f"another machine uses this HOST_ID, nothing was drained {shown}")

    def _acquire(self, entry: Entry | None) -> HostLease:
        acquired = acquire(
            self._store,
            self._owner_key,
            entry,
            self._owner,
            self._settings.ttl_s,
            any_ttl=True,
            fence=None,
        )
        return acquired.lease

    def _published(self) -> Mapping[str, Entry]:
        root = instances_root(self._settings.prefix, self._settings.host)
        return {entry.key: entry for entry in self._store.list(root).entries}

    def _write(self, lease: HostLease, wanted: Mapping[str, bytes]) -> None:
        for batch in batches(diff(self._published(), wanted, lease.id)):
            self._store.write(batch, lease=lease.id, fence=lease.fence)

    def _waited(self, lease: HostLease) -> bool:
        """Keep the lease alive until the wait is over; False: interrupted."""
        self._until_s = self._until_s or time.monotonic() + self._settings.wait_s
        while (left_s := self._until_s - time.monotonic()) > 0:
            granted_s = self._store.keep_alive(lease.id)
            if granted_s == 0:
                return True  # the lease has ended, and all that stood under it
            if self._pause(min(left_s, granted_s / KEEPALIVES_PER_TTL)):
                return False
        return True


def _draining(published: Mapping[str, Entry]) -> Mapping[str, bytes]:
    """Return draining records; an instance that cannot be read gets none, and is deleted."""
    instances = instances_in(published.values())

    def drained(instance: Instance) -> bytes:
        return encode(replace(instance, state="draining", leaving="host drained"))

    return {key: drained(instance) for key, instance in instances.items()}
