"""An etcd that is only data: hosts with leases, their instances, and what a watch or a listing of
them would say.
"""

from dataclasses import dataclass, field

from catalog.entries import Batch, Entry, Event, Listing
from catalog.keys import DrainedKey, HoldKey, OwnerKey, PortKey, PurgeKey, identity, key_of
from catalog.records.hold import Hold
from catalog.records.hold import encode as hold_of
from catalog.records.port_claim import encode as claim_of
from catalog.records.record import Instance, encode
from discover.snapshot.departures import Departures, in_batch, in_listing
from discover.snapshot.snapshot import EMPTY, Snapshot, apply, snapshot_of
from tests.parts.records import PREFIX

SINCE, UNTIL = "2026-11-26T18:00:00Z", "2026-11-26T18:10:00Z"


def key(host: str, record: Instance) -> str:
    return key_of(PREFIX, identity(host, record))


@dataclass
class FakeEtcd:
    """Each call is one revision; `step` is what a watch shows since the last look, `relist` what a
    listing does.
    """

    revision: int = 1
    cluster: int = 1
    entries: dict[str, Entry] = field(default_factory=dict)
    seen: Snapshot = EMPTY
    _events: list[Event] = field(default_factory=list)

    def claim(self, *hosts: str) -> "FakeEtcd":
        for host in hosts:
            self._commit({key_of(PREFIX, OwnerKey(host)): b"{}"})
        return self

    def put(self, host: str, *records: Instance) -> "FakeEtcd":
        return self._commit({key(host, record): encode(record) for record in records})

    def garble(self, host: str, record: Instance) -> "FakeEtcd":
        return self._commit({key(host, record): b"\xff"})

    def purge(self, host: str) -> "FakeEtcd":
        return self._commit({key_of(PREFIX, PurgeKey(host)): b""})

    def drain(self, host: str) -> "FakeEtcd":
        return self._commit({key_of(PREFIX, DrainedKey(host)): b"{}"})

    def port(self, service: str, port: int) -> "FakeEtcd":
        return self._commit({key_of(PREFIX, PortKey(service)): claim_of(port)})

    def release(self, *services: str) -> "FakeEtcd":
        return self._commit({key_of(PREFIX, PortKey(service)): None for service in services})

    def hold(
        self, key: HoldKey, holder: str, until: str | None = None, domain: str = ""
    ) -> "FakeEtcd":
        hold = Hold(holder, SINCE, until, domain)
        return self._commit({key_of(PREFIX, key): hold_of(hold)}, lease=9 if until else 0)

    def let_go(self, *keys: HoldKey) -> "FakeEtcd":
        return self._commit({key_of(PREFIX, key): None for key in keys})

    def delete(self, host: str, *records: Instance) -> "FakeEtcd":
        return self._commit(dict.fromkeys(key(host, record) for record in records))

    def expire(self, host: str) -> "FakeEtcd":
        below = key_of(PREFIX, OwnerKey(host)).removesuffix("owner")
        marks = {below + "drained", below + "purge"}  # under no lease
        return self._commit(
            {k: None for k in self.entries if k.startswith(below) and k not in marks}
        )

    def wipe(self) -> "FakeEtcd":
        """Delete the whole prefix in one transaction."""
        return self._commit(dict.fromkeys(self.entries))

    def replace(self) -> "FakeEtcd":
        """Start anew as another cluster, without data."""
        self.entries, self._events, self.revision, self.cluster = {}, [], 1, self.cluster + 1
        return self

    def step(self) -> tuple[Snapshot, Departures]:
        before, batch = self.seen, Batch(self.revision, tuple(self._events))
        self.seen = apply(PREFIX, before, batch)
        self._events = []
        return self.seen, in_batch(PREFIX, before, batch, self.seen)

    def relist(self) -> tuple[Snapshot, Departures]:
        before = self.seen
        self.seen = snapshot_of(
            PREFIX, Listing(self.cluster, self.revision, tuple(self.entries.values()))
        )
        self._events = []
        return self.seen, in_listing(before, self.seen)

    def _commit(self, changes: dict[str, bytes | None], lease: int = 7) -> "FakeEtcd":
        self.revision += 1
        for name, value in sorted(changes.items()):
            if value is None:
                if self.entries.pop(name, None) is None:
                    continue
                self._events.append(Event(name, None, self.revision))
                continue
            created = self.entries[name].create_revision if name in self.entries else self.revision
            self.entries[name] = Entry(name, value, created, self.revision, lease)
            self._events.append(Event(name, self.entries[name], self.revision))
        return self
