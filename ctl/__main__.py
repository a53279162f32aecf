"""tandem: ask the pair anything, and wait for it."""

import contextlib
import os
import sys
from typing import NoReturn

from ctl import program
from ctl.container import with_flags


def main() -> NoReturn:
    """Run a command and end with its exit status, at once.

    To end as Python does takes 60 ms and more once grpc is loaded, and a script waits for that.
    """
    status = program.run(sys.argv[1:], with_flags(os.environ))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
