"""What Docker's events say and its lists do not: a stop signal was sent, a container died, look again. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from register.container import parse_signal

KEPT = 4096  # containers that events spoke of; more than any engine runs, and no reason to grow for ever
_DEATHS = ("die", "destroy")


@dataclass(frozen=True, slots=True)
class DockerEvent:
    """One event of the engine, reduced to what is used. `signal` is the text of a `kill` event."""

    container: str
    action: str
    signal: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Hint:
    """What is known of one container: how many events named it, the last time of each signal, whether it died."""

    events: int = 0
    signals: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    died: bool = False

    def after(self, event: DockerEvent) -> "Hint":
        """Return this with one more event."""
        # Signals of an earlier start are told by their time: they need no forgetting here.
        signals, died = dict(self.signals), self.died
        number = parse_signal(event.signal) if event.action == "kill" else None
        if number is not None:
            signals[number] = max(event.time_ns, signals.get(number, 0))
        if event.action == "start":
            died = False
        if event.action in _DEATHS:
            died = True
        return Hint(self.events + 1, MappingProxyType(signals), died)


NOTHING = Hint()


@dataclass(frozen=True, slots=True)
class Hints:
    """All hints, by container id. Immutable: the reader of events replaces it, others read it."""

    by_container: Mapping[str, Hint] = field(default_factory=lambda: MappingProxyType({}))
    last_ns: int = 0

    def of(self, container: str) -> Hint:
        """Return what is known of a container."""
        return self.by_container.get(container, NOTHING)

    def after(self, event: DockerEvent) -> "Hints":
        """Return this with one more event."""
        hints = dict(self.by_container)
        hints[event.container] = hints.pop(event.container, NOTHING).after(event)  # the latest stands last
        if len(hints) > KEPT:
            del hints[next(iter(hints))]
        return Hints(MappingProxyType(hints), max(self.last_ns, event.time_ns))
