"""What watches HAProxy's processes: the guard, and what ends old workers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from discover.haproxy.guard import Guard
from discover.haproxy.old_workers import OldWorkers, may_take
from discover.haproxy.process import HAProxy
from sidecar.actors import Actor
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics


def watchers(
    haproxy: HAProxy,
    master: Path,
    old_workers_mb: int | None,
    *,
    metrics: Metrics,
    health: Health | None = None,
    lost: Callable[[str], None] = lambda _why: None,
) -> Sequence[Actor]:
    """Return the guard, and what ends old workers; `lost` is told when the master goes."""
    mended = metrics.counter(
        "discover_haproxy_mends",
        "Times HAProxy did not answer and was restarted or reloaded",
        "trouble",
    )

    def on_lost(why: str) -> None:
        lost(why)
        old_workers.reloaded(why)

    guard = Guard(master, on_lost, health=health, mended=mended)
    old_workers = OldWorkers(
        haproxy.ask,
        lambda: guard.master,
        may_take_bytes=may_take(old_workers_mb),
        metrics=metrics,
    )
    return [guard.actor(), old_workers.actor()]
