"""Which containers restart too often to be offered at once. No I/O, no clock.

One container that crashes as soon as it is up must not write to etcd, and change every HAProxy, twice a second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from register.container import Container

RESTARTS = 3  # by the restart policy: a human who restarts three times in a minute is not a crash loop
WITHIN_S = 60.0
MIN_UP_FIRST_S = 3.0
MIN_UP_MAX_S = 60.0  # as long as Docker's own back-off between two restarts


@dataclass(frozen=True, slots=True)
class Life:
    """What was seen of one container: this start, and the policy's restarts of the last minute."""

    started_ns: int
    restart_count: int
    seen_s: float  # when this start was first seen, by the monotonic clock
    restarts: tuple[float, ...] = ()
    min_up_s: float = 0.0

    @property
    def due_s(self) -> float:
        """From when on the container may be offered."""
        return self.seen_s + self.min_up_s


def is_looping(container: Container, life: Life, now_s: float) -> bool:
    """Whether a container must first stay up for a while."""
    return life.min_up_s > 0 and (container.restarting or not container.running or now_s < life.due_s)


def followed(lives: Mapping[str, Life], containers: Iterable[Container], now_s: float) -> dict[str, Life]:
    """Return the lives after one more list; who is not in it is forgotten."""
    return {container.id: _next(lives.get(container.id), container, now_s) for container in containers}


def _next(life: Life | None, container: Container, now_s: float) -> Life:
    count, started_ns = container.restart_count, container.started_ns
    # Docker counts restarts from zero again when somebody starts the container by hand.
    if life is None or count < life.restart_count:
        return Life(started_ns, count, now_s)
    seen_s = life.seen_s if started_ns == life.started_ns else now_s
    # The count goes up when the container dies, its start time when it is up again: two lists may tell them apart.
    new = min(count - life.restart_count, RESTARTS)
    if new == 0:
        return Life(started_ns, count, seen_s, life.restarts, life.min_up_s)
    restarts = (*(at for at in life.restarts if now_s - at < WITHIN_S), *[now_s] * new)[-RESTARTS:]
    return Life(started_ns, count, seen_s, restarts, _min_up_s(life.min_up_s) if len(restarts) >= RESTARTS else 0.0)


def _min_up_s(before_s: float) -> float:
    return min(2 * before_s, MIN_UP_MAX_S) if before_s else MIN_UP_FIRST_S
