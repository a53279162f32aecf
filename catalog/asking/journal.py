"""What changed, as a docker-discover keeps it and tells it: one line for each change. No I/O.

A line is about an instance, a service, a host, or this host's HAProxy. Lines that several hosts
tell of the same change have the same `revision` of etcd and the same subject.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.asking.fields import printable, text_in, whole_in

JOURNAL: Final = "journal"  # the kind of question

# What can happen, and in which words people are told.
WHAT: Final[Mapping[str, str]] = {
    "came": "an instance is there",
    "left": "an instance is gone",
    "changed": "an instance has other settings",
    "drain": "an instance gets no new calls",
    "undrain": "an instance gets calls again",
    "suspect": "the lease of its host ended: it is called while its check passes",
    "stub": "only stubs answer",
    "real": "real instances answer again",
    "port": "a port was assigned",
    "override": "somebody set a weight, a drain or an intercept, or that ended",
    "host-came": "a docker-register began to speak for a host",
    "host-left": "the lease of a host ended",
    "host-drain": "a host was taken out of service",
    "host-undrain": "a host is in service again",
    "purge": "all calls to a host were stopped",
    "unpurge": "a host may be called again",
    "refused": "docker-discover leaves something out",
    "allowed": "it is no longer left out",
    "reload": "HAProxy was reloaded",
    "update": "HAProxy was changed at runtime",
    "start": "docker-discover started",
    "gap": "lines were lost",
}
# How a change came to HAProxy.
RUNTIME, RELOAD, NOTHING = "runtime", "reload", "none"

# What of a line is text, and what is a number; the empty and 0 are left out of an answer.
_TEXTS = ("what", "service", "instance", "name", "host", "cause", "detail", "how")
_NUMBERS = ("id", "revision", "at_ms", "took_ms", "after", "own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One change.

    `at_ms` is the wall clock of the host that tells. Where `after` is set, the change was found in
    a listing: it happened after that revision, and at `revision` at the latest.
    """

    what: str
    revision: int
    at_ms: int
    service: str = ""
    instance: str = ""  # container:port
    name: str = ""  # of its container
    host: str = ""  # that it is about
    cause: str = ""
    detail: str = ""
    how: str = ""  # empty: HAProxy does not have it yet, as far as is known
    took_ms: int = 0  # from hearing of it until HAProxy had it
    after: int = 0
    own: int = 0  # 1: the host that tells decided it; 0: etcd has it, so all hosts tell the same
    id: int = 0  # in the journal that tells


def row_of(line: Line) -> Mapping[str, Any]:
    """Return a line as a row of an answer."""
    texts = {name: printable(getattr(line, name)) for name in _TEXTS}
    numbers = {name: getattr(line, name) for name in _NUMBERS}
    return {name: value for name, value in {**texts, **numbers}.items() if value}


def line_of(row: Mapping[str, Any]) -> Line:
    """Return the line in a row of an answer, ignoring unknown fields. Raises Rejected."""
    texts = {name: text_in(row, name) for name in _TEXTS}
    numbers = {name: whole_in(row, name) for name in _NUMBERS}
    return Line(**texts, **numbers)  # type: ignore[arg-type]
