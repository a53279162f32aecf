"""What the store reads and writes: keys and values as etcd keeps them. Plain data, no etcd3."""

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
    """All entries below a prefix at one revision.

    `cluster` is etcd's id of the cluster: another one means another etcd at the same address.
    """

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
    """Write a key if its mod_revision is `expected`; 0: if it does not exist."""

    key: str
    value: bytes
    expected: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a key if its mod_revision is `expected`."""

    key: str
    expected: int


@dataclass(frozen=True, slots=True)
class Fence:
    """Let a write happen only while this key has this mod_revision."""

    key: str
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Let a write happen only if no key under `prefix` was put after `revision`."""

    prefix: str
    revision: int


@dataclass(frozen=True, slots=True)
class Ttl:
    """The rest of a lease's time, and the time it was granted with."""

    remaining_s: int
    granted_s: int
