"""What a store says that went back in its history, or is another one: it may be of an earlier day. No I/O, no clock.

An old record of a restored backup may name an address that since went to another service, whose callers would then get
the wrong replies. So a record that differs from what was known counts once it is written again, or after a while: by
then the lease of a registrar that is gone has ended, and one that lives has put its host's records right.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from discover.snapshot.departures import is_rewound
from discover.snapshot.snapshot import Record, Service, Snapshot

DOUBT_S = 60.0  # four times a lease's default TTL, twice docker-register's resync


@dataclass(frozen=True, slots=True)
class Doubts:
    """Which keys are not believed; `revision` is the one at which the store was found to have gone back."""

    keys: frozenset[str] = frozenset()
    revision: int = 0
    until_s: float = math.inf

    def at(
        self, known: Mapping[str, Record], before: Snapshot, told: Snapshot, now_s: float
    ) -> "Doubts":
        """Return the doubts once the store has `told` this, where `known` was called until now."""
        if is_rewound(before, told):
            new = (
                key
                for key, it in told.records.items()
                if key not in known or known[key].instance != it.instance
            )
            return Doubts(frozenset(new), told.revision, now_s + DOUBT_S)
        if self.revision == 0 or now_s >= self.until_s:
            return NONE
        if not self.keys:
            return self
        old = (
            key
            for key, it in told.records.items()
            if key in self.keys and it.modified <= self.revision
        )
        return replace(self, keys=frozenset(old))

    def believed(self, told: Snapshot) -> Snapshot:
        """Return what was told without what is not believed."""
        if not self.keys:
            return told
        services = dict[str, Service]()
        for name, service in told.services.items():
            if self.keys.isdisjoint(service.records):
                services[name] = service
            elif left := {
                key: record for key, record in service.records.items() if key not in self.keys
            }:
                services[name] = Service.of(left)
        return replace(told, services=services)


NONE = Doubts()
