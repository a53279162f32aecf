"""Hosts of a fleet as etcd sees them: an owner key and instances under one lease, which a test ends
when it wants.
"""

from collections.abc import Sequence

from catalog.keys import OwnerKey, identity, key_of
from catalog.records.record import Instance, encode
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX

LONG_S = 600  # no lease of a test ends by itself


class LeasedHost:
    """One host; `claim` first, as a registrar does."""

    def __init__(self, etcd: Etcd, name: str) -> None:
        self.etcd, self.name = etcd, name
        self._lease = ""

    def claim(self) -> "LeasedHost":
        self._lease = self.etcd.ctl("lease", "grant", str(LONG_S)).split()[1]
        self._put(key_of(PREFIX, OwnerKey(self.name)), "{}")
        return self

    def put(self, *records: Instance) -> "LeasedHost":
        for record in records:
            self._put(self.key(record), encode(record).decode())
        return self

    def delete(self, *records: Instance) -> None:
        for record in records:
            self.etcd.ctl("del", self.key(record))

    def expire(self) -> None:
        """End the lease: all keys go in one revision, as when a host dies."""
        self.etcd.ctl("lease", "revoke", self._lease)

    def key(self, record: Instance) -> str:
        return key_of(PREFIX, identity(self.name, record))

    def _put(self, key: str, value: str) -> None:
        self.etcd.ctl("put", key, value, f"--lease={self._lease}")


def claimed(etcd: Etcd, names: Sequence[str]) -> list[LeasedHost]:
    """Return hosts that have claimed."""
    return [LeasedHost(etcd, name).claim() for name in names]
