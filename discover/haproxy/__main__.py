"""What watches HAProxy's processes, for docker-discover and for a HAProxy in its own container.

The latter is `python -m discover.haproxy RUN_DIR [OLD_WORKERS_MB]`.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from catalog.errors import Rejected
from discover.haproxy.guard import Guard
from discover.haproxy.old_workers import MEGABYTES, OldWorkers, may_take
from discover.haproxy.process import HAProxy, Paths
from sidecar import log
from sidecar.actors import Actor, run_group
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics

logger = logging.getLogger(__name__)


def main() -> None:
    """Watch until a signal."""
    log.setup("info", "text")
    run_dir = Path(sys.argv[1])
    old_workers_mb = megabytes(sys.argv[2]) if sys.argv[2:] else None

    paths = Paths(run_dir / "haproxy.cfg", run_dir / "master.sock", run_dir / "haproxy.pid")
    haproxy = HAProxy(paths, binary="haproxy", supervised=True)
    run_group(watchers(haproxy, paths.master, old_workers_mb, metrics=Metrics()))


def megabytes(text: str) -> int | None:
    """Return OLD_WORKERS_MB; None for a wrong one, which must not cost HAProxy its guard."""
    try:
        return MEGABYTES(text)
    except Rejected as error:
        logger.warning("wrong setting: OLD_WORKERS_MB: %s; the default holds", error)
        return None


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
