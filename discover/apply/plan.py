"""Decide how a running configuration becomes the wanted one. No I/O: the answer is data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from discover.model.proxy_config import Listener, ProxyConfig
from discover.model.spare_backends import reload_shape
from discover.text.render import Rendered
from discover.text.sections import Section, ServerLine

Sections = Mapping[str, Section]
Routes = Mapping[str, str]

NOTHING_KNOWN = "the running configuration is unknown"
NAMED_MAX = 5  # changes in one line of the log


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class ServerChange:
    """One server of one proxy: an instance that comes, goes, moves or changes its weight.

    Before it came its slot was free, or None: then it is a new server. So it is after it went.
    """

    proxy: str
    name: str
    before: ServerLine | None
    after: ServerLine | None
    instance: str = ""  # its name, if that is known

    def __str__(self) -> str:
        before, after = (_in_use(line) for line in (self.before, self.after))
        sign = "-" if after is None else "+" if before is None else "~"
        return f"{self.proxy} {sign}{self.instance or self.name}"


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
    """Only servers come, go, move or change weight in proxies that stay; and routes of the door."""

    changes: tuple[ServerChange, ...]
    routes: tuple[RouteChange, ...] = ()

    @property
    def why(self) -> str:
        """The changes in one line."""
        return _in_one_line([*map(str, self.changes), *map(str, self.routes)])


@dataclass(frozen=True, slots=True)
class Reload:
    """Something differs that HAProxy only takes from its file."""

    why: str


Plan = Noop | RuntimeUpdate | Reload


def step_to(wanted: Rendered, running: Rendered | None) -> Plan:
    """Return what has to happen between two texts and their maps."""
    if running is None:
        return plan(None, wanted.sections)

    routes = route_changes(running.routes, wanted.routes)
    step = plan(running.sections, wanted.sections, routes)
    return _with_instances(step, wanted, running) if isinstance(step, RuntimeUpdate) else step


def _with_instances(step: RuntimeUpdate, wanted: Rendered, running: Rendered) -> RuntimeUpdate:
    """Return an update that says which instance each change is about, for whoever reads the log."""

    def instance(change: ServerChange) -> str:
        seats_by_listener = wanted.seats if _in_use(change.after) else running.seats
        seats = seats_by_listener.get(change.proxy)
        return seats.instance_in(change.name) if seats else ""

    changes = tuple(replace(change, instance=instance(change)) for change in step.changes)
    return replace(step, changes=changes)


def plan(running: Sections | None, wanted: Sections, routes: tuple[RouteChange, ...] = ()) -> Plan:
    """Return what has to happen; `running` is None if nothing runs or it is not known what."""
    if running is None:
        return Reload(NOTHING_KNOWN)

    # Most sections are the very objects that run.
    differing = [head for head, section in wanted.items() if running.get(head) is not section]

    why = _structure_differs(running, wanted, differing)
    if why:
        return Reload(why)

    changes = tuple(_server_changes(running, wanted, differing))
    if not changes and not routes:
        return Noop()

    if _inherit_defaults(changes, wanted, differing):
        return Reload(
            "the template uses default-server, which does not apply to servers added at runtime"
        )
    return RuntimeUpdate(changes, routes)


def route_changes(running: Routes | None, wanted: Routes | None) -> tuple[RouteChange, ...]:
    """Return what differs between two maps of the door; None stands for no map."""
    before = running or {}
    after = wanted or {}
    if before == after:
        return ()

    keys = sorted(before.keys() | after.keys())
    changes = (RouteChange(key, before.get(key), after.get(key)) for key in keys)
    return tuple(change for change in changes if change.before != change.after)


def keeping_structure(running: ProxyConfig, wanted: ProxyConfig) -> ProxyConfig:
    """Return the running configuration with the wanted servers, wherever that takes no reload."""
    new = {listener.name: listener for listener in wanted.listeners}

    def updated(listener: Listener) -> Listener:
        other = new.get(listener.name, listener)
        if other is listener:
            return listener
        return other if reload_shape(other) == reload_shape(listener) else listener

    # An intercept that ended ends now, whatever else waits for a reload.
    names = {listener.name for listener in running.listeners} if wanted.intercepts else set()
    intercepts = tuple(each for each in wanted.intercepts if each.backend in names)

    listeners = tuple(map(updated, running.listeners))
    return replace(
        running,
        listeners=listeners,
        intercepts=intercepts,
        not_intercepted=wanted.not_intercepted,
    )


def _structure_differs(running: Sections, wanted: Sections, differing: Iterable[str]) -> str:
    """Return what differs beyond the servers, in one line; empty if nothing does."""
    why = [f"removed {_title(head)}" for head in running.keys() - wanted.keys()]

    for head in differing:
        before = running.get(head)
        after = wanted[head]
        if before is None:
            why.append(f"new {_title(head)}")
        elif before.lines != after.lines or _options_differ(before, after):
            why.append(f"changed {_title(head)}")

    return _in_one_line(sorted(why))


def _title(head: str) -> str:
    return head or "beginning"


def _options_differ(before: Section, after: Section) -> bool:
    """Whether a server that stays has other options.

    The runtime API changes its address and weight only.
    """
    old = before.servers
    new = after.servers
    return any(old[name].words != new[name].words for name in old.keys() & new.keys())


def _server_changes(
    running: Sections, wanted: Sections, differing: Iterable[str]
) -> Iterator[ServerChange]:
    for head in differing:
        proxy = wanted[head].name
        before = running[head].servers
        after = wanted[head].servers

        for name in sorted(before.keys() | after.keys()):
            old = before.get(name)
            new = after.get(name)
            if old != new and (_in_use(old) or _in_use(new)):
                yield ServerChange(proxy, name, old, new)


def _inherit_defaults(
    changes: Iterable[ServerChange], wanted: Sections, differing: Iterable[str]
) -> bool:
    """Whether a default-server line holds for a section that gets new servers."""
    adding = {change.proxy for change in changes if change.before is None}
    if not adding:
        return False

    heads = [head for head in differing if wanted[head].name in adding]
    heads += [head for head in wanted if head.startswith("defaults")]
    return any(_has_default_server(wanted[head]) for head in heads)


def _has_default_server(section: Section) -> bool:
    return any(line.startswith("default-server") for line in section.lines)


def _in_use(line: ServerLine | None) -> ServerLine | None:
    return None if line is None or line.free else line


def _in_one_line(texts: Sequence[str]) -> str:
    more = len(texts) - NAMED_MAX
    rest = f" and {more} more" if more > 0 else ""
    return ", ".join(texts[:NAMED_MAX]) + rest
