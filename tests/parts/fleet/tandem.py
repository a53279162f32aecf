"""Calls of `tandem` on a host of a fleet."""

import subprocess
import sys
import time
from typing import NamedTuple

from lab.fleet import Fleet
from lab.host import HOUSE, Host

COMMAND_S = 30.0


class Said(NamedTuple):
    """How a call of `tandem` ended, what it printed, and how long it took."""

    status: int
    out: str
    err: str
    took_s: float


def tandem(fleet: Fleet, host: Host, *words: str) -> Said:
    """Call `tandem` on a host."""
    flag = f"--etcd-host={fleet.etcd.hosts}"
    command = host.namespace.command(sys.executable, "-m", "ctl", *words, flag)
    began_s = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_S, check=False, cwd=HOUSE
    )
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began_s)
