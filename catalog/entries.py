"""What passes through the door to etcd: keys and values as it keeps them. Plain data, no etcd3."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as it is in etcd; `lease` is 0 for none."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    lease: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All entries below a prefix, exact at `revision`; `cluster` changes with the cluster behind the address."""

    cluster: int
    revision: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one key at a revision; no entry: the key was deleted."""

    key: str
    entry: Entry | None
    revision: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One complete watch response, its events in order."""

    revision: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """Write a key that has the mod_revision `expected` now; 0: that must not exist."""

    key: str
    value: bytes
    expected: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a key that has the mod_revision `expected` now."""

    key: str
    expected: int


@dataclass(frozen=True, slots=True)
class Fence:
    """Let a write happen only while this key has this mod_revision."""

    key: str
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Let a write happen only while no key under a prefix was put after the revision of its listing."""

    prefix: str
    revision: int


@dataclass(frozen=True, slots=True)
class Ttl:
    """What is left of a lease, and what it was granted with."""

    remaining_s: int
    granted_s: int
