"""What etcd showed, and what of it is believed -> lines of the journal. No I/O, no clock.

A record does not say why it goes. Its neighbours do, and its last state.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter

from catalog.asking.journal import NOTHING, Line
from catalog.entries import Event
from catalog.errors import Rejected
from catalog.keys import (
    DrainedKey,
    InstanceKey,
    Key,
    OverrideKey,
    OwnerKey,
    PortKey,
    PurgeKey,
    parse_key,
)
from catalog.overrides.standing import standing_of
from catalog.records.port_claim import decode as port_of
from catalog.records.record import Instance, decode
from discover.journal.causes import LOST, change_of, line_about, why_left
from discover.journal.listing import listed
from discover.snapshot.etcd_watch import Seen
from discover.snapshot.state import State

# After its docker-register began or a drain ended, what a host puts was there before.
BEGINS_S = 10.0


@dataclass(frozen=True, slots=True)
class _Begun:
    """That a host began to put what it has: how, and when by both clocks."""

    how: str
    heard_s: float
    at_ms: int


class CatalogStory:
    """Tells what happened to instances and hosts. For one thread."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._suspects: dict[str, Instance] = {}  # by key
        self._begun: dict[str, _Begun] = {}  # hosts that began lately

    def seen(self, seen: Seen, at_ms: int) -> list[Line]:
        """Return what etcd showed."""
        if seen.events is None:
            lines = list(listed(seen, at_ms, self))
        else:
            batch = _Batch(self._prefix, seen, at_ms, self)
            lines = list(batch.lines(seen.events))

        if not seen.is_new:
            return [replace(line, how=NOTHING) for line in lines]
        return lines

    def stepped(self, before: State, after: State, at_ms: int) -> list[Line]:
        """Return the suspects that are called no longer."""
        lines = []
        revision = after.catalog.revision
        for key, why in after.dropped.items():
            instance = self._suspects.pop(key, None)
            suspect = before.suspects.get(key)
            if suspect is not None:
                instance = suspect.record.instance
            if instance is None or why == "it is back":
                continue
            host = _host_of(self._prefix, key)
            lines.append(
                line_about("left", instance, host, revision, at_ms, f"lease ended: {why}", own=1)
            )
        return lines

    def lost(self, key: str, instance: Instance) -> None:
        """Note an instance that is a suspect from now on."""
        self._suspects[key] = instance

    def begun(self, host: str, how: str, seen: Seen, at_ms: int) -> None:
        """Note that a host puts what it has from now on."""
        self._begun[host] = _Begun(how, seen.heard_s, at_ms)

    def why_came(self, key: str, host: str, instance: Instance, now_s: float) -> str:
        """Return why an instance is there."""
        if self._suspects.pop(key, None) is not None:
            return "its host is back"

        begun = self._begun.get(host)
        if begun is None or now_s >= begun.heard_s + BEGINS_S:
            return "started"
        is_newer = instance.started_ms is not None and instance.started_ms > begun.at_ms
        return "started" if is_newer else begun.how


@dataclass(slots=True)
class _Batch:
    """What the events of one batch have made of the catalog so far."""

    prefix: str
    seen: Seen
    at_ms: int
    story: CatalogStory
    instances: dict[str, Instance | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    owners: set[str] = field(default_factory=set)

    def lines(self, events: Iterable[Event]) -> Iterator[Line]:
        self.owners = set(self.seen.before.owners)
        for _revision, of_one in groupby(events, attrgetter("revision")):
            yield from self._of_revision(tuple(of_one))

    def _of_revision(self, events: tuple[Event, ...]) -> Iterator[Line]:
        keyed = [(event, key) for event in events if (key := _key(self.prefix, event.key))]
        # First what holds for whole hosts: it is why their instances come and go.
        for event, key in keyed:
            if not isinstance(key, InstanceKey):
                yield from self._of_host(event, key)
        for event, key in keyed:
            if isinstance(key, InstanceKey):
                yield from self._of_instance(event, key)

    def _of_host(self, event: Event, key: Key) -> Iterator[Line]:
        entry = event.entry
        found: tuple[str, str] | None = None
        host = service = detail = ""
        match key:
            case OwnerKey(host) if entry is None:
                self.owners.discard(host)
                found = "host-left", "lease ended"
            case OwnerKey(host):
                if host not in self.owners:
                    found = "host-came", "docker-register started"
                    self.story.begun(host, "docker-register started", self.seen, self.at_ms)
                self.owners.add(host)
            case DrainedKey(host):
                found = ("host-drain" if entry else "host-undrain"), "docker-register"
                if entry is None:
                    self.story.begun(host, "host in service again", self.seen, self.at_ms)
            case PurgeKey(host):
                found = ("purge" if entry else "unpurge"), "purge key"
            case OverrideKey(service) if not self._stands_already(key, event):
                detail, cause = _override(key, event)
                found = "override", cause
            case PortKey(service):
                detail, cause = _port(entry.value) if entry else "", "assigned"
                found = "port", cause if entry else "given back"
        if found is None:
            return

        what, cause = found
        yield Line(
            what=what,
            revision=event.revision,
            at_ms=self.at_ms,
            host=host,
            service=service,
            cause=cause,
            detail=detail,
        )

    def _stands_already(self, key: OverrideKey, event: Event) -> bool:
        """Whether an override is only written again, as it was."""
        before = self.seen.before.overrides.get(key)
        if event.entry is None or before is None:
            return False
        return standing_of(key, event.entry).override == before.override

    def _of_instance(self, event: Event, key: InstanceKey) -> Iterator[Line]:
        before = self._known(event.key, key)
        after = self._read(event, key)
        if before is None and after is None:
            return

        self.instances[event.key] = after
        if before is None and after is not None:
            cause = self.story.why_came(event.key, key.host, after, self.seen.heard_s)
            first = "" if self._count(key.service, 1) > 1 else "first instance"
            yield self._line("came", after, event, key, cause, first)
        elif before is not None and after is None:
            yield self._gone(event, key, before)
        elif before is not None and after is not None and before != after:
            what, cause, detail = change_of(before, after)
            yield self._line(what, after, event, key, cause, detail)

    def _gone(self, event: Event, key: InstanceKey, before: Instance) -> Line:
        last = "" if self._count(key.service, -1) else "last instance"
        reason = self.seen.departures.get(event.key, "deleted")
        if reason != "deleted":
            self.story.lost(event.key, before)
            return self._line("suspect", before, event, key, LOST[reason], last)

        cause = why_left(before, key.host, self.seen.after, self._is_leased(event.key, key))
        return self._line("left", before, event, key, cause, last)

    def _is_leased(self, text: str, key: InstanceKey) -> bool:
        record = self.seen.before.record(key, text)
        return record is None or record.leased

    def _known(self, text: str, key: InstanceKey) -> Instance | None:
        if text in self.instances:
            return self.instances[text]
        record = self.seen.before.record(key, text)
        return record.instance if record else None

    def _read(self, event: Event, key: InstanceKey) -> Instance | None:
        """Return the instance that an event put; None if it put none that can be read."""
        if event.entry is None:
            return None
        record = self.seen.after.record(key, event.key)
        if record is not None and record.modified == event.revision:
            return record.instance
        try:
            return decode(event.entry.value)
        except Rejected:
            return None

    def _count(self, service: str, by: int) -> int:
        """Return how many instances a service has, after one more or one less."""
        if service not in self.counts:
            known = self.seen.before.services.get(service)
            self.counts[service] = len(known.records) if known else 0
        self.counts[service] += by
        return self.counts[service]

    def _line(
        self,
        what: str,
        instance: Instance,
        event: Event,
        key: InstanceKey,
        cause: str,
        detail: str = "",
    ) -> Line:
        return line_about(
            what, instance, key.host, event.revision, self.at_ms, cause, detail=detail
        )


def _override(key: OverrideKey, event: Event) -> tuple[str, str]:
    """Return what an override does, and by whom it was set."""
    if event.entry is None:
        return key.id, "ended"
    override = standing_of(key, event.entry).override
    if override is None:
        return key.id, "cannot be read"

    does = {
        "weight": override.weight,
        "state": override.state,
        "to": override.to,
        "of": override.instance or override.host,
    }
    told = ", ".join(f"{name} {value}" for name, value in does.items() if value not in (None, ""))
    return told, f"by {override.by}" + (f": {override.why}" if override.why else "")


def _key(prefix: str, text: str) -> Key | None:
    try:
        return parse_key(prefix, text)
    except Rejected:
        return None


def _host_of(prefix: str, text: str) -> str:
    key = _key(prefix, text)
    return key.host if isinstance(key, InstanceKey) else ""


def _port(value: bytes) -> str:
    try:
        return str(port_of(value))
    except Rejected:
        return ""
