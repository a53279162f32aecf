"""Decide how a running configuration becomes the wanted one. No I/O: the answer is data."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from discover.model import Listener, ProxyConfig, Server


@dataclass(frozen=True, slots=True)
class Version:
    """A configuration together with its text; `config` is None for a text that an earlier life left behind."""

    text: str
    config: ProxyConfig | None


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class ServerChange:
    """One server of one listener: before None is a new one, after None one that goes."""

    listener: str
    before: Server | None
    after: Server | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.listener} +{self.after.name if self.after else ''}"
        if self.after is None:
            return f"{self.listener} -{self.before.name}"
        return f"{self.listener} {self.before.name} {'draining' if self.after.draining else 'changed'}"


@dataclass(frozen=True, slots=True)
class RuntimeUpdate:
    """Only servers differ, in listeners that stay as they are."""

    changes: tuple[ServerChange, ...]

    @property
    def why(self) -> str:
        """The changes in one line."""
        return _some(map(str, self.changes))


@dataclass(frozen=True, slots=True)
class Reload:
    """Something differs that HAProxy only takes from its file."""

    why: str


Plan = Noop | RuntimeUpdate | Reload


def plan(running: Version | None, wanted: Version) -> Plan:
    """Return what has to happen; `running` is None when nothing runs or it is not known what."""
    if running is None:
        return Reload("nothing known is running")
    if running.text == wanted.text:
        return Noop()
    if running.config is None or wanted.config is None:
        return Reload("the configuration of an earlier life differs")
    if why := _structure(running.config, wanted.config):
        return Reload(why)
    changes = tuple(_server_changes(running.config, wanted.config))
    return RuntimeUpdate(changes) if changes else Reload("the template changed")


def _structure(running: ProxyConfig, wanted: ProxyConfig) -> str:
    """Return what differs beyond the servers, in one line; empty if nothing does."""
    before, after = _by_name(running.listeners), _by_name(wanted.listeners)
    why = ["settings changed"] if running.process != wanted.process else []
    why += [f"new {name}" for name in after if name not in before]
    why += [f"no more {name}" for name in before if name not in after]
    why += [f"changed {name}" for name in after if name in before and _frame(before[name]) != _frame(after[name])]
    return _some(why)


def _server_changes(running: ProxyConfig, wanted: ProxyConfig) -> Iterable[ServerChange]:
    before = _by_name(running.listeners)
    for listener in wanted.listeners:
        old = {server.name: server for server in before[listener.name].servers}
        new = {server.name: server for server in listener.servers}
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield ServerChange(listener.name, old.get(name), new.get(name))


def _by_name(listeners: tuple[Listener, ...]) -> dict[str, Listener]:
    return {listener.name: listener for listener in listeners}


def _frame(listener: Listener) -> Listener:
    return replace(listener, servers=())


def _some(items: Iterable[str], most: int = 5) -> str:
    texts = list(items)
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
