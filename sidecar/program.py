"""From a command line to an exit status.

0 stopped as asked, 1 failed, 2 wrong settings, 3 only a new start of the container helps.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from sidecar.options import WrongSettings

log = logging.getLogger(__name__)


class StartAgain(Exception):
    """This process cannot go on, and starting it again inside this container would not help."""


def run(name: str, start: Callable[[Sequence[str], Mapping[str, str]], None]) -> int:
    """Call `start(argv, environ)` and return the exit status.

    `start` returns when it was asked to stop.
    """
    try:
        start(sys.argv[1:], os.environ)
    except WrongSettings as error:
        for mistake in error.mistakes:
            print(f"{name}: wrong setting: {mistake}", file=sys.stderr)
        return 2
    except StartAgain as error:
        log.error("ending, so that the container is started again: %s", error)  # noqa: TRY400
        return 3
    except Exception:
        log.exception("%s failed", name)
        return 1
    return 0
