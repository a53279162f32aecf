"""The lab itself: what a run that was killed has left is found and removed by the next one."""

import subprocess
import sys
from pathlib import Path

from lab.fleet import Fleet
from lab.host import HOUSE
from lab.process import ENVIRONMENT
from tests.parts.leftovers import note

KILLED = """
import os, pathlib, signal, sys
from lab.fleet import Fleet
fleet = Fleet(pathlib.Path(sys.argv[1]))
fleet.lock()
fleet.lay()
fleet.etcd.start()
fleet.etcd.wait()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    note("fleet", folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        cwd=HOUSE,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    assert done.returncode == -9
    fleet = Fleet(folder)
    pids = [pid for member in fleet.etcd.members if (pid := member.process.pid)]
    assert len(pids) == 3

    fleet.lock()
    fleet.down()

    assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    assert list(tmp_path.iterdir()) == []
