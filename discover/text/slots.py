"""Give each instance a slot: a server line that a reload laid out, which it gives back. No I/O.

HAProxy takes some options of a server from its file alone, `tcp-ut` among them, which pooled
connections need (docs/decisions/haproxy.md). So a reload lays out more server lines than there are
instances; the free ones are in maintenance. An instance that comes takes one of its kind at
runtime. Without a free one it comes late: as a server that is added at runtime, without a pool.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from types import MappingProxyType
from typing import NamedTuple

from discover.model.proxy_config import Listener, Server
from discover.model.spare_backends import is_spare_backend
from discover.text.sections import Section, ServerLine

# RFC 5737: an address that leads nowhere. It stands in a slot that nobody has had yet.
NOWHERE = "203.0.113.1:1"

# A roll takes one slot more than there are instances, and gives it back a little later.
FEWEST_FREE = 2
# As many instances of a kind come to one more free slot ...
INSTANCES_PER_FREE = 4
# ... up to so many: each costs some kilobytes.
MOST_FREE = 32

_SLOT = re.compile(r"slot-\d+")
_LATE = re.compile(r"\bpool-max-conn 0\b")
_NO_LINES: Mapping[str, ServerLine] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Kind:
    """What stands in a server's own line, and only a reload can change."""

    backup: bool = False
    canary: bool = False
    cookie: str = ""
    slow_start_ms: int | None = None
    maxconn: int | None = None


@dataclass(frozen=True, slots=True)
class Seats:
    """The slots of one listener: who has which, and which are free."""

    # The name in HAProxy by the name of the instance.
    slots: Mapping[str, str]
    # Slots that were added at runtime.
    late: frozenset[str] = frozenset()
    free: tuple[Server, ...] = ()
    # Whether a reload would lay them out otherwise.
    uneven: bool = field(default=False, compare=False)

    def instance_in(self, slot: str) -> str:
        """Return the name of the instance in a slot; empty if there is none."""
        return next((name for name, its in self.slots.items() if its == slot), "")


class Lines(NamedTuple):
    """What runs of one listener: its section, and the one for its canaries.

    Each round makes one for each listener, so it has to cost little.
    """

    section: Section | None = None
    canaries: Section | None = None

    @property
    def servers(self) -> Mapping[str, ServerLine]:
        """The server lines by name."""
        return self.section.servers if self.section else _NO_LINES

    @property
    def late(self) -> set[str]:
        """The servers that were added at runtime: the template says so of them alone."""
        return {name for name, line in self.servers.items() if _LATE.search(line.words)}

    def kind(self, name: str) -> _Kind:
        """Return the kind that a line is of."""
        words = self.servers[name].words.split()
        options = dict(pairwise(words))
        slow_start = options.get("slowstart", "").removesuffix("ms")
        maxconn = options.get("maxconn", "")

        return _Kind(
            backup="backup" in words,
            canary=self.canaries is not None and name in self.canaries.servers,
            cookie=options.get("cookie", ""),
            slow_start_ms=int(slow_start) if slow_start.isdigit() else None,
            maxconn=int(maxconn) if maxconn.isdigit() else None,
        )


def lines_of(listener: Listener, running: Mapping[str, Section]) -> Lines:
    """Return what runs of a listener, as far as sections of its name do."""
    name = listener.name
    section = running.get(f"listen {name}") or running.get(f"backend {name}")
    canaries = running.get(f"backend {name}:canary") if listener.canary else None
    return Lines(section, canaries)


def seats_of(listener: Listener, lines: Lines) -> Seats:
    """Return the slots of a listener for what runs: an instance that runs keeps its own."""
    if is_spare_backend(listener):
        return _in_spare_backend(listener)
    if lines.section is None:
        return seats_anew(listener, lines)

    slots = _kept(listener, lines)
    taken = set(slots.values())
    free = [name for name in lines.servers if name not in taken]
    late = lines.late
    names = _new_names(lines.servers)

    for server in listener.servers:
        if server.name in slots:
            continue

        slot = _fitting(server, free, lines)
        if slot is not None:
            free.remove(slot)
        else:
            slot = next(names)
            if listener.mode == "http":
                late.add(slot)
        slots[server.name] = slot

    empty = tuple(_free_server(name, lines, is_late=name in late) for name in free)
    return Seats(slots, frozenset(late), empty, uneven=bool(late) or _is_uneven(listener, empty))


def seats_anew(listener: Listener, lines: Lines) -> Seats:
    """Return the slots of a listener at a reload: none is late, and enough of each kind are free.

    An instance that runs keeps its slot's name.
    """
    if is_spare_backend(listener):
        return _in_spare_backend(listener)

    slots = {name: slot for name, slot in _kept(listener, lines).items() if _SLOT.fullmatch(slot)}
    names = _new_names(slots.values())
    for server in listener.servers:
        if server.name not in slots:
            slots[server.name] = next(names)

    free = tuple(
        _server(next(names), NOWHERE, 100, kind)
        for kind, how_many in _wanted_free(listener).items()
        for _ in range(how_many)
    )
    return Seats(slots, free=free)


def seated(listener: Listener, seats: Seats | None) -> Listener:
    """Return a listener with its servers as HAProxy knows them; as it is without seats."""
    if seats is None:
        return listener

    servers = tuple(
        replace(server, name=seats.slots[server.name], late=seats.slots[server.name] in seats.late)
        for server in listener.servers
    )
    return replace(listener, servers=servers, free=seats.free)


def _in_spare_backend(listener: Listener) -> Seats:
    """Return the slots in a backend that was laid out for nobody in particular: there are none."""
    own_names = {server.name: server.name for server in listener.servers}
    return Seats(own_names, late=frozenset(own_names), uneven=bool(own_names))


def _kept(listener: Listener, lines: Lines) -> dict[str, str]:
    """Return the slots of instances that run: what has the address of one is its server."""
    by_endpoint = {line.endpoint: name for name, line in lines.servers.items() if not line.free}
    kept: dict[str, str] = {}

    for server in listener.servers:
        slot = by_endpoint.pop(server.endpoint, None)
        if slot is not None:
            kept[server.name] = slot

    return kept


def _fitting(server: Server, free: Iterable[str], lines: Lines) -> str | None:
    """Return the free slot for an instance: its own of before, else one that nobody has had."""
    kind = _kind_of(server)
    fitting = [name for name in free if lines.kind(name) == kind]

    def less_wanted(name: str) -> tuple[bool, bool]:
        endpoint = lines.servers[name].endpoint
        return endpoint != server.endpoint, endpoint != NOWHERE

    return min(fitting, key=less_wanted, default=None)


def _new_names(taken: Iterable[str]) -> Iterator[str]:
    """Yield names of slots that are not taken, lowest first."""
    known = set(taken)
    names = (f"slot-{number}" for number in count(1))
    return (name for name in names if name not in known)


def _is_uneven(listener: Listener, free: Iterable[Server]) -> bool:
    return Counter(map(_kind_of, free)) != _wanted_free(listener)


def _wanted_free(listener: Listener) -> Counter[_Kind]:
    """Return how many slots of each kind shall be free."""
    if listener.sticky == "cookie":
        return Counter()  # each has its own cookie, so none fits another instance

    kinds = Counter(map(_kind_of, listener.servers))
    usual = next((kind for kind, _ in kinds.most_common() if not kind.backup), _Kind())
    wanted = Counter(
        {kind: min(MOST_FREE, 1 + number // INSTANCES_PER_FREE) for kind, number in kinds.items()}
    )
    wanted[usual] = max(FEWEST_FREE, wanted[usual])
    return wanted


def _kind_of(server: Server) -> _Kind:
    return _Kind(
        backup=server.backup,
        canary=server.canary,
        cookie=server.cookie,
        slow_start_ms=server.slow_start_ms,
        maxconn=server.maxconn,
    )


def _free_server(name: str, lines: Lines, *, is_late: bool) -> Server:
    """Return what runs in a slot that nobody has, or has any more."""
    line = lines.servers[name]
    server = _server(name, line.endpoint, line.weight, lines.kind(name))
    return replace(server, late=is_late)


def _server(name: str, endpoint: str, weight: int, kind: _Kind) -> Server:
    return Server(
        name=name,
        endpoint=endpoint,
        weight=weight,
        draining=False,
        backup=kind.backup,
        cookie=kind.cookie,
        canary=kind.canary,
        slow_start_ms=kind.slow_start_ms,
        maxconn=kind.maxconn,
        free=True,
    )
