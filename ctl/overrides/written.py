"""Put and delete overrides in etcd, each only if it is still as it was seen."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from catalog.access import Access
from catalog.entries import Delete, Entry, Put
from catalog.errors import Conflict, Refused, Rejected
from catalog.keys import DrainedKey, OverrideKey, hosts_root, key_of, overrides_root, parse_key
from catalog.overrides.override import Override, encode
from catalog.overrides.standing import Standings, standings_of
from ctl.asking import store_of
from ctl.ends import GUARD, NO, End
from ctl.fleet import fleet_of
from ctl.view.published import Published, published_of

# An override ends by its own time; its lease only tidies up, and must not end it early.
TIDY_S = 60
CHANGES_MAX = 100  # in one write, which is all or nothing


@dataclass(frozen=True, slots=True)
class Wanted:
    """An override that shall stand under a key."""

    key: OverrideKey
    override: Override


class Written:
    """The overrides in etcd, and what else stood there at the last look. For one thread."""

    def __init__(self, access: Access, prefix: str) -> None:
        self._store = store_of(access)
        self._prefix = prefix
        self.standing: Standings = {}
        self.published: tuple[Published, ...] = ()
        self.hosts: frozenset[str] = frozenset()
        self.drained: frozenset[str] = frozenset()  # by their own registrar

    def look(self) -> None:
        """See what stands now, and which instances and hosts there are."""
        entries = self._store.list(overrides_root(self._prefix)).entries
        self.standing = standings_of(self._prefix, entries)

        hosts = self._store.list(hosts_root(self._prefix)).entries
        fleet = fleet_of(self._prefix, hosts, ())
        self.published = published_of(self._prefix, hosts)
        publishing = {it.host for it in self.published}
        self.drained = frozenset(_drained(self._prefix, hosts))
        self.hosts = fleet.owners | fleet.proxies.keys() | publishing | self.drained

    def put(self, wanted: Sequence[Wanted], for_s: float) -> int:
        """Put all or none, and return the revision; with `for_s` they go by themselves, later."""
        lease = self._store.grant(int(for_s) + TIDY_S) if for_s else 0
        puts = [
            Put(key_of(self._prefix, it.key), encode(it.override), self._revision(it.key))
            for it in wanted
        ]
        return self._write(puts, lease)

    def delete(self, keys: Iterable[OverrideKey]) -> int:
        """Delete all or none, and return the revision."""
        deletes = [Delete(key_of(self._prefix, key), self._revision(key)) for key in keys]
        return self._write(deletes, 0)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def _revision(self, key: OverrideKey) -> int:
        standing = self.standing.get(key)
        return standing.modified if standing else 0

    def _write(self, changes: Sequence[Put | Delete], lease: int) -> int:
        if len(changes) > CHANGES_MAX:
            raise End(NO, f"{len(changes)} at once, {CHANGES_MAX} are the most")
        try:
            return self._store.write(changes, lease=lease)
        except Refused as error:
            root = overrides_root(self._prefix)
            helps = f"etcdctl role grant-permission ROLE --prefix=true readwrite {root}"
            text = f"etcd refuses: {error}\n  helps: a role that may write {root}\n    {helps}"
            raise End(GUARD, text) from error
        except Conflict as error:
            raise End(NO, f"somebody changed it in this moment, look again: {error}") from error


def _drained(prefix: str, entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.key.endswith("/drained"):
            with contextlib.suppress(Rejected):
                key = parse_key(prefix, entry.key)
                if isinstance(key, DrainedKey):
                    yield key.host
