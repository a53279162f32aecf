"""A question to the pair, as it stands under asks/<id>. No I/O.

Which kinds there are is for each sidecar to say: a newer asker may ask an older one, which then
answers that it does not know the kind.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.asking.fields import bytes_of, document_of, object_in, text_in, texts_in, whole_in
from catalog.errors import Rejected

APPLIED = "applied"  # up to which revision HAProxy runs what etcd says
EXPLAIN = "explain"  # what is known of a service, instance, port, host name or container
COUNTERS = "counters"  # what HAProxy has counted of a service
INTERCEPTS = "intercepts"  # which calls HAProxy leads to somebody's own machine
STUBS = "stubs"  # which services only stubs answer for, since when, and how many calls
CONDITION = "condition"  # how a docker-discover is, with what SERVICES tells
# what draining some instances leaves to callers, and how many connections these still have
OVERRIDES = "overrides"
SERVICES = "services"  # of every service, how many of its servers HAProxy has up
UNTIL = "until"  # whether it is so of these names; told again when it is so, or no more
TAP = "tap"  # calls of a service as they end; `every_ms` is how often batches come

_KIND = re.compile(r"[a-z][a-z-]{0,31}")
HOSTS_MAX = 1000
ARGUMENTS_MAX = 16
NAMES_MAX = 100
EVERY_MS_MIN = 500  # each answer is a write of each host


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, and of whom; no hosts, no sides: of all."""

    kind: str
    what: str = ""
    hosts: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    # With APPLIED: the revision that is waited for; 0: any.
    revision: int = 0
    # How often the answer may be renewed while it changes; 0: it is given once.
    every_ms: int = 0
    by: str = ""  # for people: who asks
    arguments: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # with UNTIL: what it is about

    def is_for(self, host: str, side: str = "") -> bool:
        """Whether a host is asked, and which of its sidecars; no side: any."""
        is_host = not self.hosts or host in self.hosts
        return is_host and (not self.sides or not side or side in self.sides)


def encode(ask: Ask) -> bytes:
    """Return the canonical JSON of a question."""
    return bytes_of(
        {
            "kind": ask.kind,
            "what": ask.what,
            "hosts": list(ask.hosts),
            "sides": list(ask.sides),
            "revision": ask.revision,
            "every_ms": ask.every_ms,
            "by": ask.by,
            "arguments": dict(ask.arguments),
            "names": list(ask.names),
        }
    )


def decode(value: bytes) -> Ask:
    """Return the question in a value, ignoring unknown fields. Raises Rejected."""
    document = document_of(value, "ask")
    kind = text_in(document, "kind", None)
    if not _KIND.fullmatch(kind):
        raise Rejected(f"ask: kind: {kind!r:.60} is not a word such as {EXPLAIN}")

    hosts, arguments = texts_in(document, "hosts"), object_in(document, "arguments")
    if len(hosts) > HOSTS_MAX or len(arguments) > ARGUMENTS_MAX:
        raise Rejected(f"ask: at most {HOSTS_MAX} hosts and {ARGUMENTS_MAX} arguments are read")

    names = texts_in(document, "names")
    if len(names) > NAMES_MAX:
        raise Rejected(f"ask: at most {NAMES_MAX} names are read")

    every_ms = whole_in(document, "every_ms")
    return Ask(
        kind,
        what=text_in(document, "what"),
        hosts=hosts,
        sides=texts_in(document, "sides"),
        revision=whole_in(document, "revision"),
        every_ms=max(every_ms, EVERY_MS_MIN) if every_ms else 0,
        by=text_in(document, "by"),
        arguments={name: text_in(arguments, name, None) for name in arguments},
        names=names,
    )
