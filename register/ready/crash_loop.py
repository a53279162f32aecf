"""Which containers crash too young, or turn unhealthy too often, to be offered at once. No I/O, no clock.

One container that crashes as soon as it is up must not write to etcd, and change every HAProxy, twice a second: each
life that is offered costs two writes, so there may be one in ten seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from register.docker.container import Container

FLAPS = 2  # the first time somebody is unhealthy or paused, well is believed at once
FLAPS_WITHIN_S = 60.0
WELL_FOR_S = (
    10.0  # after the second time: a return to ready is one write, and so comes once in ten seconds
)
YOUNG_S = 10.0  # who crashes before, and is restarted by its policy, must first stay up for as long
MIN_UP_MAX_S = 60.0  # as long as Docker's own back-off between two restarts


@dataclass(frozen=True, slots=True)
class Life:
    """What was seen of one container: this start, and how long it must be up after those before."""

    started_ns: int
    restart_count: int
    seen_s: float  # when this start was first seen, by the monotonic clock
    min_up_s: float = 0.0
    sick: bool = False
    sick_at: tuple[float, ...] = ()  # when it turned unhealthy or was paused, the last times
    well_s: float = 0.0  # when it was well again

    @property
    def due_s(self) -> float:
        """From when on the container may be offered."""
        return self.seen_s + self.min_up_s


def well_from_s(life: Life, now_s: float) -> float:
    """Return from when on a container counts as well; in the past unless it has been ill again and again."""
    lately = [at for at in life.sick_at if now_s - at < FLAPS_WITHIN_S]
    return life.well_s + WELL_FOR_S if len(lately) >= FLAPS else life.well_s


def is_looping(container: Container, life: Life, now_s: float) -> bool:
    """Whether a container must first stay up for a while."""
    return life.min_up_s > 0 and (
        container.restarting or not container.running or now_s < life.due_s
    )


def followed(
    lives: Mapping[str, Life], containers: Iterable[Container], now_s: float
) -> dict[str, Life]:
    """Return the lives after one more list; who is not in it is forgotten."""
    return {
        container.id: _felt(_next(lives.get(container.id), container, now_s), container, now_s)
        for container in containers
    }


def _felt(life: Life, container: Container, now_s: float) -> Life:
    sick = container.paused or container.health == "unhealthy"
    if sick == life.sick:
        return life
    if sick:
        return replace(life, sick=True, sick_at=(*life.sick_at, now_s)[-FLAPS:])
    return replace(life, sick=False, well_s=now_s)


def _next(life: Life | None, container: Container, now_s: float) -> Life:
    count, started_ns = container.restart_count, container.started_ns
    # Docker counts restarts from zero again when somebody starts the container by hand.
    if life is None or count < life.restart_count:
        return Life(started_ns, count, now_s)
    if (started_ns, count) == (life.started_ns, life.restart_count):
        return life
    seen_s = life.seen_s if started_ns == life.started_ns else now_s
    # The count goes up when the container dies, its start time when it is up again: two lists may tell them apart.
    if count == life.restart_count:
        return replace(life, started_ns=started_ns, seen_s=seen_s)
    young = now_s - life.seen_s < YOUNG_S or count > life.restart_count + 1
    min_up_s = _min_up_s(life.min_up_s) if young else 0.0
    return replace(
        life, started_ns=started_ns, restart_count=count, seen_s=seen_s, min_up_s=min_up_s
    )


def _min_up_s(before_s: float) -> float:
    return min(2 * before_s, MIN_UP_MAX_S) if before_s else YOUNG_S
