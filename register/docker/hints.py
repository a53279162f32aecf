"""What Docker's events say and its lists do not: stop signals, deaths, changes. No I/O."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from register.docker.container import Container
from register.docker.parse import parse_signal

# Containers with a hint that are kept: more than any engine runs, so that the hints do not grow.
KEPT = 4096
_DEATHS = ("die", "destroy")
_STILL = ("pause", "unpause")
# A signal and a death change nothing that an inspect would show at once, and while a container
# ends, an inspect waits in the engine for 0.1 s (measured, 20.10), and all others behind it.
_NO_INSPECT = ("kill", "stop", *_DEATHS)
_DEATH = 0  # among the numbers of signals
# A list may show a start before the stream brings the end of the start before it.
LAG_S = 1.0
LAG_NS = 10**9
# Containers may have been asked to stop before this process began, and not have ended yet: so much
# of what the engine remembers is asked for.
LOOK_BACK_NS = 60 * 10**9


class Heard(NamedTuple):
    """When an event came, by our own monotonic clock; not live: the engine remembered it."""

    at_s: float
    is_live: bool


NEVER = Heard(0.0, is_live=False)


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
    heard: Heard = NEVER


@dataclass(frozen=True, slots=True)
class Hint:
    """What events say about one container: changes, the last time of each signal, and its death.

    `heard`: when these were heard, by the number of the signal.
    """

    changes: int = 0
    signals: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    died_ns: int = 0
    health: str = ""
    heard: Mapping[int, Heard] = field(default_factory=lambda: MappingProxyType({}))

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
            died_ns = max(event.time_ns, self.died_ns)
            return replace(hint, died_ns=died_ns, heard=self._heard(_DEATH, event))

        number = parse_signal(event.signal) if event.action == "kill" else None
        if number is None:
            return hint

        signals = {**self.signals, number: max(event.time_ns, self.signals.get(number, 0))}
        heard = self._heard(number, event)
        return replace(hint, signals=MappingProxyType(signals), heard=heard)

    def _heard(self, number: int, event: DockerEvent) -> Mapping[int, Heard]:
        return MappingProxyType({**self.heard, number: event.heard})

    def is_changed_by(self, event: DockerEvent) -> bool:
        """Whether an event says anything new: Podman tells of every health check."""
        if event.action == "exec_died":
            return self.health not in ("", event.health)
        return not (event.health and event.health == self.health)


NOTHING = Hint()


@dataclass(frozen=True, slots=True)
class Hints:
    """All hints by container id, the latest last. Immutable: the event reader replaces it.

    `last_ns` is the time of the last event, which is not the latest after a clock was put back.
    """

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
        return Hints(MappingProxyType(hints), event.time_ns)


def is_asked_to_stop(container: Container, hint: Hint) -> bool:
    """Whether the container is being stopped.

    Its stop signal, or SIGKILL, was sent since it started, or the engine says so itself.
    """
    ending = (container.stop_signal, signal.SIGKILL)
    return container.stopping or any(
        _is_after_start(container, hint, number, hint.signals.get(number, 0)) for number in ending
    )


def has_ended(container: Container, hint: Hint) -> bool:
    """Whether this start of the container has ended, whatever a list of that moment says."""
    return _is_after_start(container, hint, _DEATH, hint.died_ns)


def _is_after_start(container: Container, hint: Hint, number: int, time_ns: int) -> bool:
    """Whether a signal or a death is about this start of the container.

    Both times are the engine's, whose clock may have been put back between them. Then the order
    counts: a list showed this start before the event came. Of what the engine remembers, only an
    event that is too long before the start says that the clock was put back.
    """
    if not time_ns or time_ns > container.started_ns:
        return bool(time_ns)

    heard = hint.heard.get(number, NEVER)
    is_put_back = container.started_ns - time_ns > LOOK_BACK_NS + LAG_NS
    was_seen_before = heard.at_s > container.seen_s + LAG_S
    return (was_seen_before and (heard.is_live or is_put_back)) or (
        container.was_there and is_put_back
    )
