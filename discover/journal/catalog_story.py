"""What etcd showed, and what of it is believed -> lines of the journal. No I/O, no clock.

A record does not say why it goes. Its neighbours do, and its last state.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter

from catalog.asking.journal import NOTHING, Line
from catalog.entries import Event
from catalog.errors import Rejected
from catalog.keys import DrainedKey, InstanceKey, Key, OwnerKey, PortKey, PurgeKey, parse_key
from catalog.records.port_claim import decode as port_of
from catalog.records.record import Instance, decode
from discover.journal.causes import change_of, why_left
from discover.snapshot.departures import Reason
from discover.snapshot.etcd_watch import Seen
from discover.snapshot.state import State

# After its docker-register began or a drain ended, what a host puts was there before.
BEGINS_S = 10.0

_LOST: Mapping[Reason, str] = {
    "expired": "lease ended",
    "unreadable": "record unreadable",
    "wiped": "etcd lost it",
    "rewound": "etcd went back",
}


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
            lines = list(_listed(seen, at_ms, self))
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
                _line("left", instance, host, revision, at_ms, f"lease ended: {why}", own=1)
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
        service = detail = ""
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
            case PortKey(service):
                host = ""
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
            return self._line("suspect", before, event, key, _LOST[reason], last)

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
        return _line(what, instance, key.host, event.revision, self.at_ms, cause, detail=detail)


def _listed(seen: Seen, at_ms: int, story: CatalogStory) -> Iterator[Line]:
    """Yield what is other in a listing than it was known; nothing if nothing was known."""
    before, after = seen.before, seen.after
    if not before.cluster:
        return

    for host in sorted(before.owners.keys() ^ after.owners.keys()):
        came = host in after.owners
        yield Line(
            what="host-came" if came else "host-left",
            revision=after.owners[host].created if came else after.revision,
            after=0 if came else before.revision,
            at_ms=at_ms,
            host=host,
            cause="docker-register started" if came else "lease ended",
        )

    known = before.records
    for text, record in sorted(after.records.items(), key=lambda item: item[1].modified):
        old = known.get(text)
        host, instance = record.key.host, record.instance
        if old is None:
            cause = story.why_came(text, host, instance, seen.heard_s)
            yield _line("came", instance, host, record.created, at_ms, cause)
        elif old.instance != instance:
            what, cause, detail = change_of(old.instance, instance)
            yield _line(what, instance, host, record.modified, at_ms, cause, detail=detail)

    for text, reason in seen.departures.items():
        if (gone := known.get(text)) is None:
            continue
        host, instance = gone.key.host, gone.instance
        if reason == "deleted":
            what, cause = "left", why_left(instance, host, after, gone.leased)
        else:
            what, cause = "suspect", _LOST[reason]
            story.lost(text, instance)
        line = _line(what, instance, host, after.revision, at_ms, cause)
        yield replace(line, after=before.revision)


def _line(
    what: str,
    instance: Instance,
    host: str,
    revision: int,
    at_ms: int,
    cause: str,
    *,
    detail: str = "",
    own: int = 0,
) -> Line:
    role = "stub" if instance.role == "stub" else ""
    return Line(
        what=what,
        revision=revision,
        at_ms=at_ms,
        service=instance.service,
        instance=f"{instance.container[:12]}:{instance.container_port}",
        name=instance.container_name,
        host=host,
        cause=cause,
        detail=", ".join(filter(None, (role, detail))),
        own=own,
    )


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
