"""What is other in a listing of etcd than it was known -> lines. No I/O.

Where a change happened in between is known of what was put, not of what is gone.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from catalog.asking.journal import Line
from catalog.records.record import Instance
from discover.journal.causes import LOST, change_of, line_about, why_left
from discover.snapshot.etcd_watch import Seen


class Story(Protocol):
    """What was told before."""

    def why_came(self, key: str, host: str, instance: Instance, now_s: float) -> str:
        """Return why an instance is there."""

    def lost(self, key: str, instance: Instance) -> None:
        """Note an instance that is a suspect from now on."""


def listed(seen: Seen, at_ms: int, story: Story) -> Iterator[Line]:
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
        if old is None or record.created > before.revision:
            cause = story.why_came(text, host, instance, seen.heard_s)
            yield line_about("came", instance, host, record.created, at_ms, cause)
        elif old.instance != instance:
            what, cause, detail = change_of(old.instance, instance)
            # What it was in between is not known: perhaps it changed in other ways before.
            line = line_about(what, instance, host, record.modified, at_ms, cause, detail=detail)
            yield replace(line, after=before.revision)

    for text, reason in seen.departures.items():
        if (gone := known.get(text)) is None:
            continue
        host, instance = gone.key.host, gone.instance
        if reason == "deleted":
            what, cause = "left", why_left(instance, host, after, gone.leased)
        else:
            what, cause = "suspect", LOST[reason]
            story.lost(text, instance)
        line = line_about(what, instance, host, after.revision, at_ms, cause)
        yield replace(line, after=before.revision)
