"""Leave no trace: end every process of a fleet, undo its mounts, remove its cgroups and its folder.

It works on what is found on the machine, not on what was remembered: a crash leaves nothing else.
"""

import contextlib
import os
import shutil
from pathlib import Path

from lab.engine import unlink_shims
from lab.namespace import Namespace
from lab.proc import program
from lab.process import end_all, run

CGROUPS = Path("/sys/fs/cgroup")
# A path of the fleet on the command line is not enough: a pager and a shell can have one, too.
PROGRAMS = {"containerd", "containerd-shim", "docker-proxy", "dockerd", "etcd", "haproxy", "runc"}
ROUNDS = 5  # a process may start another one after the list was made


def sweep(folder: Path, cgroup: str) -> None:
    """Remove all of the fleet that has its state in `folder`."""
    for _ in range(ROUNDS):
        pids = _pids(folder)
        if not pids:
            break
        end_all(pids)

    for exec_root in folder.glob("*/exec"):
        unlink_shims(exec_root)

    for mount in _mounts_below(folder):
        run("umount", "-l", str(mount), check=False)

    for controller in (CGROUPS, *CGROUPS.iterdir()):
        _remove_cgroup(controller / cgroup.strip("/"))

    shutil.rmtree(folder, ignore_errors=True)


def _pids(folder: Path) -> set[int]:
    """Return all processes of the fleet."""
    pids = _started_with(folder)
    for path in folder.glob("*.net"):
        pids.update(Namespace(path.stem, path).pids())
    return pids


def _started_with(folder: Path) -> set[int]:
    """Return processes with a path of this fleet on the command line, such as orphaned shims."""
    pids = set()
    needle = os.fsencode(f"{folder}/")
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(cmdline.parent.name)
        with contextlib.suppress(OSError):
            if needle in cmdline.read_bytes() and program(pid) in PROGRAMS:
                pids.add(pid)
    return pids


def _mounts_below(folder: Path) -> list[Path]:
    """Return all mount points in the folder, the innermost first."""
    points = []
    for row in Path("/proc/self/mountinfo").read_text().splitlines():
        escaped = row.split(" ")[4]
        point = escaped.encode().decode("unicode_escape")
        if point.startswith(f"{folder}/"):
            points.append(Path(point))

    points.reverse()
    return points


def _remove_cgroup(path: Path) -> None:
    for below, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            Path(below).rmdir()
