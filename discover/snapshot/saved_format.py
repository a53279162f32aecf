"""The bytes of the last good snapshot: what an earlier life knew, whole and unchanged, or not at all. No I/O, no clock.

One line says what follows, by version, length and SHA-256; then comes one JSON array a line. Times are wall-clock
seconds, as no other clock outlives a boot; a wall clock may be wrong then, so they are trusted only within bounds.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from catalog.errors import Rejected
from catalog.keys import InstanceKey, PortKey, identity, key_of, parse_key
from catalog.port_claim import decode as port_of
from catalog.port_claim import encode as claim_of
from catalog.record import decode as instance_of
from catalog.record import encode as value_of
from discover.snapshot.departures import Reason
from discover.snapshot.snapshot import Claim, Owner, Record, Service, Snapshot
from discover.snapshot.suspects import HARD_STOP_S, Suspect, Suspects

MAGIC = "tandem-snapshot"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file said: the catalog, and the suspects with their times."""

    catalog: Snapshot
    suspects: Suspects
    host: str  # who wrote it


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a snapshot comes from: the host that watched, the etcd, and the prefix in it."""

    host: str
    prefix: str
    etcd: tuple[str, ...]  # its members' addresses, as set

    def check(self, prefix: str, etcd: list[str]) -> None:
        """Raise Rejected if a file is of another catalog; a member more or less is no other etcd."""
        if prefix != self.prefix:
            raise Rejected(f"is of the prefix {prefix!r:.80}, not {self.prefix!r:.80}")
        if set(etcd).isdisjoint(self.etcd):
            raise Rejected(
                f"is of the etcd {','.join(etcd)!r:.80}, not {','.join(self.etcd)!r:.80}"
            )


class Texts:
    """The lines of services that have been encoded before: only what changed is encoded again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Service, str]] = {}

    def of(self, services: Mapping[str, Service]) -> Iterable[str]:
        """Return the lines of all services."""
        before, self._known = self._known, {}
        for name, service in services.items():
            known = before.get(name)
            if known is None or known[0] is not service:
                lines = (
                    _line("record", key, *_fields(record))
                    for key, record in service.records.items()
                )
                known = (service, "".join(lines))
            self._known[name] = known
            yield known[1]


def sane(saved: Saved, now_s: float, age_s: float) -> Saved:
    """Return it with times that can be, at `now_s`, when the file is `age_s` old.

    A wall clock that was behind puts them into the future, where a suspect never ends; one that was set forward puts
    them too far back, where all end at once.
    """
    return replace(
        saved, suspects={key: _sane(it, now_s, age_s) for key, it in saved.suspects.items()}
    )


def _sane(suspect: Suspect, now_s: float, age_s: float) -> Suspect:
    since_s = min(suspect.since_s, now_s)
    if (
        since_s < now_s - age_s - HARD_STOP_S
    ):  # nobody was a suspect for so long when it was written
        since_s = now_s - age_s
    times = (
        None if it is None else max(since_s, min(it, now_s))
        for it in (suspect.failing_s, suspect.returned_s)
    )
    failing_s, returned_s = times
    return replace(suspect, since_s=since_s, failing_s=failing_s, returned_s=returned_s)


def encode(saved: Saved, origin: Origin, ahead_s: float, texts: Texts) -> str:
    """Return the text; `ahead_s` is how far the wall clock is ahead of the one of the suspects' times."""
    catalog = saved.catalog
    head = _line(
        "catalog", origin.prefix, saved.host, origin.etcd, catalog.cluster, catalog.revision
    )
    owners = (
        _line("owner", host, owner.created, owner.lease) for host, owner in catalog.owners.items()
    )
    purged = (_line("purged", host) for host in sorted(catalog.purged))
    claims = (
        _line("claim", key_of(origin.prefix, PortKey(s)), it.port, it.created)
        for s, it in catalog.claims.items()
    )
    suspects = (_suspect_line(key, _moved(it, ahead_s)) for key, it in saved.suspects.items())
    body = "".join((head, *owners, *purged, *claims, *texts.of(catalog.services), *suspects))
    return _seal(body.encode()) + body


def decode(content: bytes, origin: Origin, ahead_s: float) -> Saved:
    """Return what the bytes say. Raises Rejected: damaged, of another version, or of another catalog."""
    seal, _, body = content.partition(b"\n")
    if seal + b"\n" != _seal(body).encode():
        words = seal.split(b" ")
        if words[0] == MAGIC.encode() and words[1:2] != [str(VERSION).encode()]:
            raise Rejected(f"is of another version: {seal[:40]!r}")
        raise Rejected("is damaged: length or checksum do not match")
    try:
        reading = _Reading(origin)
        for line in filter(None, body.decode().split("\n")):
            kind, *words = json.loads(line)
            reading.take(kind, words)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise Rejected(f"cannot be read: {error!r:.120}") from error
    return reading.saved(ahead_s)


@dataclass(slots=True)
class _Reading:
    """What the lines of a file have said so far."""

    origin: Origin
    head: tuple[str, int, int] | None = None
    owners: dict[str, Owner] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    claims: dict[str, Claim] = field(default_factory=dict)
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    suspects: dict[str, Suspect] = field(default_factory=dict)

    def take(self, kind: str, words: list[Any]) -> None:
        match kind, words:
            case "catalog", [str(prefix), str(host), [*etcd], int(cluster), int(revision)]:
                self.origin.check(prefix, etcd)
                self.head = host, cluster, revision
            case "owner", [str(host), int(created), int(lease)]:
                self.owners[host] = Owner(created, lease)
            case "purged", [str(host)]:
                self.purged.add(host)
            case "claim", [str(key), int(port), int(created)] if isinstance(
                name := parse_key(self.origin.prefix, key), PortKey
            ):
                self.claims[name.service] = Claim(port_of(claim_of(port)), created)
            case "record", [str(key), *fields]:
                record = self._record(key, fields)
                self.records.setdefault(record.key.service, {})[key] = record
            case "suspect", [str(key), [*fields], *rest]:
                self.suspects[key] = _suspect(self._record(key, fields), rest)
            case _:
                raise Rejected(f"has a line that is not known: {kind!r:.40}")

    def _record(self, key: str, fields: list[Any]) -> Record:
        name = parse_key(self.origin.prefix, key)
        match fields:
            case [int(created), bool(leased), str(value)] if isinstance(name, InstanceKey):
                instance = instance_of(value.encode())
                if identity(name.host, instance) == name:
                    return Record(name, instance, created, leased)
        raise Rejected(f"has a record that is none: {key!r:.120}")

    def saved(self, ahead_s: float) -> Saved:
        if self.head is None:
            raise Rejected("does not say what it is of")
        host, cluster, revision = self.head
        services = {name: Service.of(records) for name, records in self.records.items()}
        written_by = "" if host == self.origin.host else host
        purged = frozenset(self.purged)
        catalog = Snapshot(
            revision,
            services,
            {},
            self.owners,
            purged,
            cluster,
            claims=self.claims,
            written_by=written_by,
        )
        return Saved(
            catalog, {key: _moved(it, -ahead_s) for key, it in self.suspects.items()}, host
        )


def _fields(record: Record) -> tuple[object, ...]:
    return record.created, record.leased, value_of(record.instance).decode()


def _suspect_line(key: str, it: Suspect) -> str:
    return _line(
        "suspect",
        key,
        _fields(it.record),
        it.reason,
        it.since_s,
        it.frozen,
        it.failing_s,
        it.returned_s,
    )


def _suspect(record: Record, words: list[Any]) -> Suspect:
    reason, since_s, frozen, failing_s, returned_s = words
    times = (since_s, failing_s or 0.0, returned_s or 0.0)
    if reason not in get_args(Reason) or not all(isinstance(time_s, float) for time_s in times):
        raise Rejected("has a suspect that is none")
    return Suspect(record, reason, since_s, bool(frozen), failing_s, returned_s)


def _moved(suspect: Suspect, by_s: float) -> Suspect:
    """Return a suspect with its times on another clock."""
    failing_s = None if suspect.failing_s is None else suspect.failing_s + by_s
    returned_s = None if suspect.returned_s is None else suspect.returned_s + by_s
    return replace(
        suspect, since_s=suspect.since_s + by_s, failing_s=failing_s, returned_s=returned_s
    )


def _line(*words: object) -> str:
    return json.dumps(words, separators=(",", ":")) + "\n"


def _seal(body: bytes) -> str:
    return f"{MAGIC} {VERSION} {len(body)} {hashlib.sha256(body).hexdigest()}\n"
