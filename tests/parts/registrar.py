"""What a docker-register writes, without one: records under a lease and an owner key."""

from catalog.keys import DrainedKey, OwnerKey, identity, key_of
from catalog.records.record import Instance, encode
from catalog.store import Delete, Put, Store
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX


class Registrar:
    """Stands for a host's docker-register: what it writes, under a lease and an owner key."""

    def __init__(self, etcd: Etcd, host: str) -> None:
        self.host = host
        self.store = Store(etcd.access)
        self._revisions: dict[str, int] = {}
        self._drain_key = key_of(PREFIX, DrainedKey(host))
        self._drained = 0
        self.begin()

    def begin(self) -> int:
        """Acquire the host; return the revision of that."""
        self.lease = self.store.grant(600)
        owner = key_of(PREFIX, OwnerKey(self.host))
        return self.store.write([Put(owner, b"{}", 0)], lease=self.lease)

    def puts(self, instance: Instance) -> int:
        key = key_of(PREFIX, identity(self.host, instance))
        put = Put(key, encode(instance), self._revisions.get(key, 0))
        self._revisions[key] = self.store.write([put], lease=self.lease)
        return self._revisions[key]

    def deletes(self, instance: Instance) -> int:
        key = key_of(PREFIX, identity(self.host, instance))
        return self.store.write([Delete(key, self._revisions.pop(key))], lease=0)

    def drains_host(self) -> int:
        """Take the host out of service, without touching its instances."""
        self._drained = self.store.write([Put(self._drain_key, b"{}", 0)], lease=0)
        return self._drained

    def undrains_host(self) -> int:
        return self.store.write([Delete(self._drain_key, self._drained)], lease=0)

    def vanishes(self) -> int:
        """End the lease, as etcd does when nobody keeps it; return the revision of that."""
        self.store.revoke(self.lease)
        self._revisions.clear()
        return self.store.list("/").revision

    def close(self) -> None:
        self.store.close()
