"""Watch a HAProxy in its own container: `python -m discover.haproxy RUN_DIR [OLD_WORKERS_MB]`."""

import logging
import sys
from pathlib import Path

from catalog.errors import Rejected
from discover.haproxy.old_workers import MEGABYTES
from discover.haproxy.process import HAProxy, Paths
from discover.haproxy.watchers import watchers
from sidecar import log
from sidecar.actors import run_group
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


if __name__ == "__main__":
    main()
