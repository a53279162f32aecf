"""Decide how a running configuration becomes the wanted one. No I/O: the answer is data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from discover.model.config import Listener, ProxyConfig
from discover.model.spare_backends import reload_shape
from discover.text.render import Rendered
from discover.text.sections import Section, ServerLine

Sections = Mapping[str, Section]
NOTHING_KNOWN = "nothing known is running"


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class ServerChange:
    """One server of one proxy: before None is a new one, after None one that goes."""

    proxy: str
    name: str
    before: ServerLine | None
    after: ServerLine | None

    def __str__(self) -> str:
        sign = "+" if self.before is None else "-" if self.after is None else "~"
        return f"{self.proxy} {sign}{self.name}"


@dataclass(frozen=True, slots=True)
class RouteChange:
    """One line of the door's map: before None is a new one, after None one that goes."""

    key: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"-{self.key}" if self.after is None else f"{self.key} to {self.after}"


@dataclass(frozen=True, slots=True)
class RuntimeUpdate:
    """Only servers come, go, move or change weight, in proxies that stay as they are; and lines of the door's map."""

    changes: tuple[ServerChange, ...]
    routes: tuple[RouteChange, ...] = ()

    @property
    def why(self) -> str:
        """The changes in one line."""
        return _some(map(str, (*self.changes, *self.routes)))


@dataclass(frozen=True, slots=True)
class Reload:
    """Something differs that HAProxy only takes from its file."""

    why: str


Plan = Noop | RuntimeUpdate | Reload


def route_changes(
    running: Mapping[str, str] | None, wanted: Mapping[str, str] | None
) -> tuple[RouteChange, ...]:
    """Return what differs between two maps of the door, None for none at all."""
    before, after = running or {}, wanted or {}
    if before == after:
        return ()
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(RouteChange(key, before.get(key), after.get(key)) for key in keys)


def step_to(wanted: Rendered, running: Rendered | None) -> Plan:
    """Return what has to happen between two texts and their maps."""
    if running is None:
        return plan(None, wanted.sections)
    return plan(running.sections, wanted.sections, route_changes(running.routes, wanted.routes))


def plan(running: Sections | None, wanted: Sections, routes: tuple[RouteChange, ...] = ()) -> Plan:
    """Return what has to happen; `running` is None when nothing runs or it is not known what."""
    if running is None:
        return Reload(NOTHING_KNOWN)
    differing = [head for head, section in wanted.items() if running.get(head) is not section]
    if why := _structure(running, wanted, differing):
        return Reload(why)
    changes = tuple(_server_changes(running, wanted, differing))
    if not changes and not routes:
        return Noop()
    adding = {change.proxy for change in changes if change.before is None}
    if adding and _inherits(wanted, (head for head in differing if wanted[head].name in adding)):
        return Reload(
            "the template uses default-server, which servers added at runtime would not have"
        )
    return RuntimeUpdate(changes, routes)


def keeping_structure(running: ProxyConfig, wanted: ProxyConfig) -> ProxyConfig:
    """Return the running configuration with the wanted servers, wherever that takes no reload."""
    new = {listener.name: listener for listener in wanted.listeners}

    def updated(listener: Listener) -> Listener:
        other = new.get(listener.name, listener)
        return other if reload_shape(other) == reload_shape(listener) else listener

    return replace(running, listeners=tuple(map(updated, running.listeners)))


def _structure(running: Sections, wanted: Sections, differing: Iterable[str]) -> str:
    """Return what differs beyond the servers, in one line; empty if nothing does."""
    why = [f"no more {_title(head)}" for head in running.keys() - wanted.keys()]
    for head in differing:
        before, after = running.get(head), wanted[head]
        if before is None:
            why.append(f"new {_title(head)}")
        elif before.lines != after.lines or _options_differ(before, after):
            why.append(f"changed {_title(head)}")
    return _some(sorted(why))


def _title(head: str) -> str:
    return head or "beginning"


def _options_differ(before: Section, after: Section) -> bool:
    """Whether a server that stays has other options: the runtime API changes its address and weight only."""
    shared = before.servers.keys() & after.servers.keys()
    return any(before.servers[name].words != after.servers[name].words for name in shared)


def _server_changes(
    running: Sections, wanted: Sections, differing: Iterable[str]
) -> Iterable[ServerChange]:
    for head in differing:
        before, after = running[head], wanted[head]
        for name in sorted(before.servers.keys() | after.servers.keys()):
            old, new = before.servers.get(name), after.servers.get(name)
            if old != new:
                yield ServerChange(after.name, name, old, new)


def _inherits(sections: Sections, heads: Iterable[str]) -> bool:
    """Whether a default-server line holds for one of these sections."""
    defaults = (head for head in sections if head.startswith("defaults"))
    return any(
        line.startswith("default-server")
        for head in chain(heads, defaults)
        for line in sections[head].lines
    )


def _some(items: Iterable[str], most: int = 5) -> str:
    texts = list(items)
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
