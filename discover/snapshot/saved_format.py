"""The bytes of the last good snapshot: whole and unchanged, or not at all. No I/O, no clock.

The first line seals what follows, by version, length and SHA-256. Then comes one JSON array a
line. Times are wall-clock seconds, as no other clock outlives a boot. A wall clock may be wrong
then, so times are trusted only within bounds.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args

from catalog.digest import sha256
from catalog.errors import Rejected
from catalog.keys import HoldKey, InstanceKey, OverrideKey, PortKey, identity, key_of, parse_key
from catalog.overrides.override import decode as override_of
from catalog.overrides.override import encode as value_of_override
from catalog.overrides.standing import Standing
from catalog.records.hold import decode as hold_of
from catalog.records.hold import encode as value_of_hold
from catalog.records.port_claim import decode as port_of
from catalog.records.port_claim import encode as claim_of
from catalog.records.record import decode as instance_of
from catalog.records.record import encode as value_of
from discover.snapshot.belongs import Claim, Held, Owner
from discover.snapshot.departures import Reason
from discover.snapshot.snapshot import Record, Service, Snapshot
from discover.snapshot.suspects import HARD_STOP_S, Suspect, Suspects
from sidecar.memo import MemoByName

_Key = TypeVar("_Key", PortKey, HoldKey, OverrideKey)

MAGIC = "tandem-snapshot"
VERSION = 1
KINDS = ("catalog", "owner", "purged", "claim", "hold", "override", "record", "suspect")


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
        """Raise Rejected if a file is of another catalog; one member more is no other etcd."""
        if prefix != self.prefix:
            raise Rejected(f"has the prefix {prefix!r:.80}, not {self.prefix!r:.80}")
        if set(etcd).isdisjoint(self.etcd):
            raise Rejected(
                f"is from the etcd {','.join(etcd)!r:.80}, not {','.join(self.etcd)!r:.80}"
            )


class Texts:
    """The lines of services that were encoded before: only what changed is encoded again."""

    def __init__(self) -> None:
        self._memo = MemoByName(_service_lines)

    def of(self, services: Mapping[str, Service]) -> Iterable[str]:
        """Return the lines of all services."""
        return self._memo.get(services).values()


def _service_lines(_name: str, service: Service) -> str:
    lines = (_line("record", key, *_fields(record)) for key, record in service.records.items())
    return "".join(lines)


def sane(saved: Saved, now_s: float, age_s: float) -> Saved:
    """Return it with times that can be, at `now_s`, when the file is `age_s` old.

    A wall clock that was behind puts times into the future, where a suspect never ends. One that
    was set forward puts them too far back, where all suspects end at once.
    """
    suspects = {key: _sane(suspect, now_s, age_s) for key, suspect in saved.suspects.items()}
    return replace(saved, suspects=suspects)


def _sane(suspect: Suspect, now_s: float, age_s: float) -> Suspect:
    since_s = min(suspect.since_s, now_s)
    written_s = now_s - age_s
    # No instance was a suspect for so long when the file was written.
    if since_s < written_s - HARD_STOP_S:
        since_s = written_s

    def within(at_s: float | None) -> float | None:
        return None if at_s is None else max(since_s, min(at_s, now_s))

    return replace(
        suspect,
        since_s=since_s,
        failing_s=within(suspect.failing_s),
        returned_s=within(suspect.returned_s),
    )


def encode(saved: Saved, origin: Origin, ahead_s: float, texts: Texts) -> str:
    """Return the text.

    `ahead_s` is how far the wall clock is ahead of the clock of the suspects' times.
    """
    body = "".join(_lines(saved, origin, ahead_s, texts))
    return _seal(body.encode()) + body


def _lines(saved: Saved, origin: Origin, ahead_s: float, texts: Texts) -> Iterator[str]:
    catalog = saved.catalog
    yield _line(
        "catalog", origin.prefix, saved.host, origin.etcd, catalog.cluster, catalog.revision
    )

    for host, owner in catalog.owners.items():
        yield _line("owner", host, owner.created, owner.lease)
    for host in sorted(catalog.purged):
        yield _line("purged", host)
    for service, claim in catalog.claims.items():
        key = key_of(origin.prefix, PortKey(service))
        yield _line("claim", key, claim.port, claim.created)
    for hold_key, held in catalog.holds.items():
        value = value_of_hold(held.hold).decode()
        yield _line("hold", key_of(origin.prefix, hold_key), value, held.created, held.leased)
    yield from _override_lines(catalog, origin)

    yield from texts.of(catalog.services)

    for key, suspect in saved.suspects.items():
        yield _suspect_line(key, _moved(suspect, ahead_s))


def _override_lines(catalog: Snapshot, origin: Origin) -> Iterator[str]:
    """Yield the overrides that count without a word of etcd."""
    for key, standing in catalog.overrides.items():
        if standing.override is not None and not standing.is_vouched:
            value = value_of_override(standing.override).decode()
            text = key_of(origin.prefix, key)
            yield _line("override", text, value, standing.created, standing.leased)


def decode(content: bytes, origin: Origin, ahead_s: float) -> Saved:
    """Return what the bytes say.

    Raises Rejected if they are damaged, of another version, or of another catalog.
    """
    seal, _, body = content.partition(b"\n")
    if seal + b"\n" != _seal(body).encode():
        raise Rejected(_why_unsealed(seal))

    reading = _Reading(origin)
    try:
        for line in body.decode().split("\n"):
            if line:
                kind, *fields = json.loads(line)
                reading.take(kind, fields)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise Rejected(f"cannot be read: {error!r:.120}") from error
    return reading.saved(ahead_s)


def _why_unsealed(seal: bytes) -> str:
    words = seal.split(b" ")
    if words[0] == MAGIC.encode() and words[1:2] != [str(VERSION).encode()]:
        return f"has another version: {seal[:40]!r}"
    return "is damaged: length or checksum do not match"


@dataclass(frozen=True, slots=True)
class _Head:
    """What the first line after the seal says."""

    host: str
    cluster: int
    revision: int


@dataclass(slots=True)
class _Reading:
    """What the lines of a file have said so far."""

    origin: Origin
    head: _Head | None = None
    owners: dict[str, Owner] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    claims: dict[str, Claim] = field(default_factory=dict)
    holds: dict[HoldKey, Held] = field(default_factory=dict)
    overrides: dict[OverrideKey, Standing] = field(default_factory=dict)
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    suspects: dict[str, Suspect] = field(default_factory=dict)

    def take(self, kind: str, fields: list[Any]) -> None:
        """Take one line. Raises Rejected, or what a field of the wrong type makes Python raise."""
        match kind, fields:
            case "catalog", [str(prefix), str(host), [*etcd], int(cluster), int(revision)]:
                self.origin.check(prefix, etcd)
                self.head = _Head(host, cluster, revision)
            case "owner", [str(host), int(created), int(lease)]:
                self.owners[host] = Owner(created, lease)
            case "purged", [str(host)]:
                self.purged.add(host)
            case "claim", [str(key), int(port), int(created)]:
                # Encoded and decoded, as that checks the number.
                self.claims[self._key(key, PortKey).service] = Claim(
                    port_of(claim_of(port)), created
                )
            case "hold", [str(key), str(value), int(created), bool(leased)]:
                held = Held(hold_of(value.encode()), created, leased)
                self.holds[self._key(key, HoldKey)] = held
            case "override", [str(key), str(value), int(created), bool(leased)]:
                override = override_of(value.encode())
                self.overrides[self._key(key, OverrideKey)] = Standing(
                    override, "", created, leased
                )
            case "record", [str(key), *record_fields]:
                record = self._record(key, record_fields)
                self.records.setdefault(record.key.service, {})[key] = record
            case "suspect", [str(key), [*record_fields], *rest]:
                self.suspects[key] = _suspect(self._record(key, record_fields), rest)
            case _ if kind in KINDS:
                raise Rejected(f"has an invalid line: {kind!r:.40}")
            case _:
                pass  # of a later version, which was put back to this one

    def _key(self, text: str, kind: type[_Key]) -> _Key:
        """Return the key in a text, which is of this kind."""
        key = parse_key(self.origin.prefix, text)
        if not isinstance(key, kind):
            raise Rejected(f"has no {kind.__name__} where one belongs: {text!r:.120}")
        return key

    def _record(self, text: str, fields: list[Any]) -> Record:
        key = parse_key(self.origin.prefix, text)
        match fields:
            case [int(created), bool(leased), str(value)] if isinstance(key, InstanceKey):
                instance = instance_of(value.encode())
                if identity(key.host, instance) == key:
                    return Record(key, instance, created, leased)
        raise Rejected(f"has an invalid record: {text!r:.120}")

    def saved(self, ahead_s: float) -> Saved:
        """Return what all lines have said."""
        if self.head is None:
            raise Rejected("has no first line")

        host = self.head.host
        catalog = Snapshot(
            self.head.revision,
            services={name: Service.of(records) for name, records in self.records.items()},
            refused={},
            owners=self.owners,
            purged=frozenset(self.purged),
            cluster=self.head.cluster,
            claims=self.claims,
            holds=self.holds,
            overrides=self.overrides,
            written_by="" if host == self.origin.host else host,
        )
        suspects = {key: _moved(suspect, -ahead_s) for key, suspect in self.suspects.items()}
        return Saved(catalog, suspects, host)


def _fields(record: Record) -> tuple[object, ...]:
    return record.created, record.leased, value_of(record.instance).decode()


def _suspect_line(key: str, suspect: Suspect) -> str:
    return _line(
        "suspect",
        key,
        _fields(suspect.record),
        suspect.reason,
        suspect.since_s,
        suspect.frozen,
        suspect.failing_s,
        suspect.returned_s,
    )


def _suspect(record: Record, fields: list[Any]) -> Suspect:
    reason, since_s, frozen, failing_s, returned_s = fields
    times = (since_s, failing_s or 0.0, returned_s or 0.0)
    if reason not in get_args(Reason) or not all(isinstance(time_s, float) for time_s in times):
        raise Rejected("has an invalid suspect")
    return Suspect(record, reason, since_s, bool(frozen), failing_s, returned_s)


def _moved(suspect: Suspect, by_s: float) -> Suspect:
    """Return a suspect with its times on another clock."""

    def moved(at_s: float | None) -> float | None:
        return None if at_s is None else at_s + by_s

    return replace(
        suspect,
        since_s=suspect.since_s + by_s,
        failing_s=moved(suspect.failing_s),
        returned_s=moved(suspect.returned_s),
    )


def _line(*fields: object) -> str:
    return json.dumps(fields, separators=(",", ":")) + "\n"


def _seal(body: bytes) -> str:
    return f"{MAGIC} {VERSION} {len(body)} {sha256(body).hexdigest()}\n"
