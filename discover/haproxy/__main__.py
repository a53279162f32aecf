"""The guard alone, for a HAProxy in its own container: `python -m discover.haproxy RUN_DIR`."""

import sys
from pathlib import Path

from discover.haproxy.guard import Guard
from sidecar import log
from sidecar.actors import run_group


def main() -> None:
    """Watch until a signal."""
    log.setup("info", "text")
    run_group([Guard(Path(sys.argv[1]) / "master.sock", lambda _why: None).actor()])


if __name__ == "__main__":
    main()
