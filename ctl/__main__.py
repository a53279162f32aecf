"""tandem: ask the pair anything, and wait for it."""

import os
import sys

from ctl import program
from ctl.container import with_flags


def main() -> int:
    """Run a command and return its exit status."""
    return program.run(sys.argv[1:], with_flags(os.environ))


if __name__ == "__main__":
    sys.exit(main())
