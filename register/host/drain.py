"""Take a whole host out of service, or back in: what `docker-register --drain` and SIGUSR1 do. Asks no engine.

Whoever drains becomes the host's owner, so that every write of a registrar that runs is fenced off from then on, and
marks the host with a key under no lease, so that no registrar acquires it again until that key is gone. Every step may
be interrupted, by anything: the next one to drain goes on where it was.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from catalog.entries import Delete, Entry, Put
from catalog.errors import Conflict, Rejected, Unavailable
from catalog.keys import DrainedKey, OwnerKey, instances_root, key_of
from catalog.record import encode
from catalog.store import Store
from register.host.acquire import acquire
from register.host.owner import HostOwner, LifeSigns, decode, status_of
from register.records.changes import batches, diff
from register.records.host_state import HostLease
from register.records.own_keys import instances_in
from sidecar.log import Details

log = logging.getLogger(__name__)

KEEPALIVES_PER_TTL = 3  # as the registrar does
WAY_BACK = "`docker-register --undrain` or SIGUSR2 brings it back"


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """Which host, and how long its connections have to end. HAProxy's connections cannot be seen from here."""

    prefix: str
    host: str
    ttl_s: int
    wait_s: float


class Drain:
    """One drain by one owner, which may be run again after Unavailable."""

    def __init__(
        self,
        store: Store,
        settings: DrainSettings,
        owner: HostOwner,
        pause: Callable[[float], bool],
    ) -> None:
        self._store, self._settings, self._owner, self._pause = store, settings, owner, pause
        self._owner_key = key_of(settings.prefix, OwnerKey(settings.host))
        self._until_s: float | None = None  # when the wait is over

    def run(self) -> bool:
        """Drain the host; False: told to stop before the end. Raises Unavailable, or Rejected for another's host."""
        try:
            return self._run()
        except Conflict as error:
            raise Unavailable(f"somebody else writes for this host: {error}") from error

    def _run(self) -> bool:
        entry = self._store.get(self._owner_key)
        self._check_machine(entry)
        mark(self._store, self._settings, self._owner.hostname)
        published = self._published()
        if entry is None and not published:
            log.info("drained %s", Details(host=self._settings.host, instances=0))
            return True
        acquired = acquire(
            self._store,
            self._owner_key,
            entry,
            self._owner,
            self._settings.ttl_s,
            any_ttl=True,
            fence=None,
        )
        lease = acquired.lease
        self._write(lease, self._draining(published))
        log.info(
            "draining %s",
            Details(
                host=self._settings.host,
                instances=len(published),
                wait_s=f"{self._settings.wait_s:g}",
            ),
        )
        if published and not self._waited(lease):
            return False
        self._write(lease, {})
        self._store.revoke(lease.id)
        log.info("drained %s", Details(host=self._settings.host, instances=len(published)))
        return True

    def _check_machine(self, entry: Entry | None) -> None:
        """Raise Rejected if the host id is in use on another machine: its containers are not ours to withdraw."""
        if entry is None:
            return
        try:
            other = decode(entry.value)
        except Rejected:
            return  # whatever it is, it is in the way
        if status_of(other, self._owner, LifeSigns(None, None)) == "elsewhere":
            who = Details(host=self._settings.host, hostname=other.hostname, ip=other.host_ip)
            raise Rejected(f"another machine uses this HOST_ID, nothing was drained {who}")

    def _published(self) -> Mapping[str, Entry]:
        root = instances_root(self._settings.prefix, self._settings.host)
        return {entry.key: entry for entry in self._store.list(root).entries}

    def _draining(self, published: Mapping[str, Entry]) -> Mapping[str, bytes]:
        instances = instances_in(published.values())  # what cannot be read is deleted at once
        return {
            key: encode(replace(instance, state="draining")) for key, instance in instances.items()
        }

    def _write(self, lease: HostLease, wanted: Mapping[str, bytes]) -> None:
        for batch in batches(diff(self._published(), wanted, lease.id)):
            self._store.write(batch, lease=lease.id, fence=lease.fence)

    def _waited(self, lease: HostLease) -> bool:
        """Keep the lease alive until the wait is over; False: told to stop."""
        self._until_s = self._until_s or time.monotonic() + self._settings.wait_s
        while (left_s := self._until_s - time.monotonic()) > 0:
            granted_s = self._store.keep_alive(lease.id)
            if granted_s == 0:
                return True  # all is gone by itself
            if self._pause(min(left_s, granted_s / KEEPALIVES_PER_TTL)):
                return False
        return True


def mark(store: Store, settings: DrainSettings, hostname: str) -> None:
    """Say that the host is drained, for good."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    value = json.dumps(
        {"v": 1, "since": since, "by": hostname}, sort_keys=True, separators=(",", ":")
    )
    try:
        store.write(
            [Put(key_of(settings.prefix, DrainedKey(settings.host)), value.encode(), 0)], lease=0
        )
    except Conflict:
        log.debug("the host is marked already")


def undrain(store: Store, prefix: str, host: str) -> bool:
    """Take the mark away, so that the host's registrar publishes again; False: there was none. Raises Unavailable."""
    key = key_of(prefix, DrainedKey(host))
    entry = store.get(key)
    if entry is None:
        log.info("not drained %s", Details(host=host))
        return False
    try:
        store.write([Delete(key, entry.mod_revision)], lease=0)
    except Conflict as error:
        raise Unavailable(str(error)) from error
    log.info("back in service %s", Details(host=host))
    return True


def why_drained(entry: Entry) -> str:
    """Return one line for people about a mark that stands in etcd."""
    try:
        document = json.loads(entry.value)
        since = str(document["since"])[:40]
    except (ValueError, RecursionError, LookupError, TypeError):
        since = "?"
    return f"HOST_DRAINED: this host was taken out of service since {since}; {WAY_BACK}"
