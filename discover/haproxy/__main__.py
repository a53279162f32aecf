"""What watches HAProxy's processes, for docker-discover and for a HAProxy in its own container.

The latter is `python -m discover.haproxy RUN_DIR [OLD_WORKERS_MB]`.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from discover.haproxy.guard import Guard
from discover.haproxy.old_workers import OldWorkers, may_take
from discover.haproxy.process import HAProxy, Paths
from sidecar import log
from sidecar.actors import Actor, run_group
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics


def main() -> None:
    """Watch until a signal."""
    log.setup("info", "text")
    run_dir = Path(sys.argv[1])
    old_workers_mb = int(sys.argv[2]) if sys.argv[2:] else None

    paths = Paths(run_dir / "haproxy.cfg", run_dir / "master.sock", run_dir / "haproxy.pid")
    haproxy = HAProxy(paths, binary="haproxy", supervised=True)
    run_group(watchers(haproxy, paths.master, old_workers_mb, metrics=Metrics()))


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


if __name__ == "__main__":
    main()
