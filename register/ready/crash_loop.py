"""Which containers crash too young, or turn unhealthy too often, to be offered. No I/O, no clock.

A container that crashes as soon as it is up must not write to etcd, and change every HAProxy,
twice a second: each start that is offered costs two writes, so there may be one in ten seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from register.docker.container import Container

FLAPS = 2  # after the first time that a container is unhealthy or paused, well is believed at once
FLAPS_WITHIN_S = 60.0
# After the second time: a return to ready is one write, and so comes once in ten seconds.
WELL_FOR_S = 10.0
# A container that crashed before this age and was restarted by its policy must first stay up so
# long.
YOUNG_S = 10.0
MIN_UP_MAX_S = 60.0  # as long as Docker's own back-off between two restarts


@dataclass(frozen=True, slots=True)
class History:
    """What the lists showed of one container: this start, and what the earlier ones demand of it.

    Times ending in `_s` are of the monotonic clock.
    """

    started_ns: int
    restart_count: int
    seen_s: float  # when this start was first seen
    min_up_s: float = 0.0  # how long it must be up before it is offered
    is_sick: bool = False
    sick_at_s: tuple[float, ...] = ()  # when it turned unhealthy or was paused, the last times
    well_s: float = 0.0  # when it was well again

    @property
    def due_s(self) -> float:
        """From when on the container may be offered."""
        return self.seen_s + self.min_up_s


def well_from_s(history: History, now_s: float) -> float:
    """Return from when on a container counts as well.

    That is in the past unless the container was ill again and again.
    """
    lately = [at_s for at_s in history.sick_at_s if now_s - at_s < FLAPS_WITHIN_S]
    return history.well_s + WELL_FOR_S if len(lately) >= FLAPS else history.well_s


def is_looping(container: Container, history: History, now_s: float) -> bool:
    """Whether a container must first stay up for a while."""
    is_down = container.restarting or not container.running
    return history.min_up_s > 0 and (is_down or now_s < history.due_s)


def followed(
    histories: Mapping[str, History], containers: Iterable[Container], now_s: float
) -> dict[str, History]:
    """Return the histories after one more list, of the containers in it."""
    after: dict[str, History] = {}
    for container in containers:
        history = _with_start(histories.get(container.id), container, now_s)
        after[container.id] = _with_health(history, container, now_s)
    return after


def _with_health(history: History, container: Container, now_s: float) -> History:
    is_sick = container.paused or container.health == "unhealthy"
    if is_sick == history.is_sick:
        return history
    if is_sick:
        sick_at_s = (*history.sick_at_s, now_s)[-FLAPS:]
        return replace(history, is_sick=True, sick_at_s=sick_at_s)
    return replace(history, is_sick=False, well_s=now_s)


def _with_start(history: History | None, container: Container, now_s: float) -> History:
    count, started_ns = container.restart_count, container.started_ns
    # Docker counts restarts from zero again when somebody starts the container by hand.
    if history is None or count < history.restart_count:
        return History(started_ns, count, now_s)
    if (started_ns, count) == (history.started_ns, history.restart_count):
        return history

    # The count goes up when the container dies, its start time when it is up again: two lists may
    # show one each.
    seen_s = history.seen_s if started_ns == history.started_ns else now_s
    if count == history.restart_count:
        return replace(history, started_ns=started_ns, seen_s=seen_s)

    died_young = now_s - history.seen_s < YOUNG_S or count > history.restart_count + 1
    return replace(
        history,
        started_ns=started_ns,
        restart_count=count,
        seen_s=seen_s,
        min_up_s=_longer_s(history.min_up_s) if died_young else 0.0,
    )


def _longer_s(min_up_s: float) -> float:
    return min(2 * min_up_s, MIN_UP_MAX_S) if min_up_s else YOUNG_S
