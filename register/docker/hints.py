"""What Docker's events say and its lists do not: stop signals, deaths, changes. No I/O."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from register.docker.container import Container
from register.docker.parse import parse_signal

# Containers with a hint that are kept: more than any engine runs, so that the hints do not grow.
KEPT = 4096
_DEATHS = ("die", "destroy")
_STILL = ("pause", "unpause")
# A signal and a death change nothing that an inspect would show at once, and while a container
# ends, an inspect waits in the engine for 0.1 s (measured, 20.10), and all others behind it.
_NO_INSPECT = ("kill", "stop", *_DEATHS)


@dataclass(frozen=True, slots=True)
class DockerEvent:
    """The part of an engine's event that is used.

    `signal` is the text of a `kill` event, `health` that of a `health_status`, and what it may be
    after an `exec_died`.
    """

    container: str
    action: str
    signal: str
    time_ns: int
    health: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """What events say about one container: changes, the last time of each signal, and its death."""

    changes: int = 0
    signals: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    died_ns: int = 0
    health: str = ""

    def after(self, event: DockerEvent) -> "Hint":
        """Return the hint after one more event."""
        if not self.is_changed_by(event):
            return self

        changes = self.changes + (event.action not in _NO_INSPECT)
        health = event.health if event.action == "health_status" else self.health
        if event.action in _STILL:
            health = ""  # Docker makes a paused container unhealthy, and tells of its health again
        hint = replace(self, changes=changes, health=health)
        if event.action == "start":
            return Hint(changes)  # the signals and the death of an earlier start
        if event.action in _DEATHS:
            return replace(hint, died_ns=max(event.time_ns, self.died_ns))

        number = parse_signal(event.signal) if event.action == "kill" else None
        if number is None:
            return hint

        signals = {**self.signals, number: max(event.time_ns, self.signals.get(number, 0))}
        return replace(hint, signals=MappingProxyType(signals))

    def is_changed_by(self, event: DockerEvent) -> bool:
        """Whether an event says anything new: Podman tells of every health check."""
        if event.action == "exec_died":
            return self.health not in ("", event.health)
        return not (event.health and event.health == self.health)


NOTHING = Hint()


@dataclass(frozen=True, slots=True)
class Hints:
    """All hints by container id, the latest last. Immutable: the event reader replaces it."""

    by_container: Mapping[str, Hint] = field(default_factory=lambda: MappingProxyType({}))
    last_ns: int = 0

    def of(self, container: str) -> Hint:
        """Return what is known of a container."""
        return self.by_container.get(container, NOTHING)

    def after(self, event: DockerEvent) -> "Hints":
        """Return the hints after one more event."""
        hints = dict(self.by_container)
        before = hints.pop(event.container, NOTHING)
        hints[event.container] = before.after(event)

        if len(hints) > KEPT:
            oldest = next(iter(hints))
            del hints[oldest]
        return Hints(MappingProxyType(hints), max(self.last_ns, event.time_ns))


def is_asked_to_stop(container: Container, hint: Hint) -> bool:
    """Whether the container is being stopped.

    Its stop signal, or SIGKILL, was sent since it started, or the engine says so itself.
    """
    ending = (container.stop_signal, signal.SIGKILL)
    return container.stopping or any(
        hint.signals.get(number, 0) > container.started_ns for number in ending
    )


def has_ended(container: Container, hint: Hint) -> bool:
    """Whether this start of the container has ended, whatever a list of that moment says."""
    return hint.died_ns > container.started_ns
