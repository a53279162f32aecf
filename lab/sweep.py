"""Leave no trace: end every process of a fleet, undo its mounts, and remove its cgroups and its folder.

Works on what stands on the machine, not on what somebody remembers: after a crash nothing else is true.
"""

import contextlib
import os
import shutil
from pathlib import Path

from lab.namespace import Namespace
from lab.process import end_all, run

CGROUPS = Path("/sys/fs/cgroup")
# Of all that has a path of the fleet on its command line; somebody's pager and shell have one, too.
PROGRAMS = {"containerd", "containerd-shim", "docker-proxy", "dockerd", "etcd", "haproxy", "runc"}
ROUNDS = 5  # a process may start another one while it is looked at


def sweep(folder: Path, cgroup: str) -> None:
    """Remove all of the fleet that has its state in `folder`."""
    namespaces = [Namespace(path.stem, path) for path in folder.glob("*.net")]
    for _ in range(ROUNDS):
        if not (
            pids := {pid for namespace in namespaces for pid in namespace.pids()} | _writers(folder)
        ):
            break
        end_all(pids)
    for address in folder.glob("*/exec/containerd/daemon/*/moby/*/address"):
        with contextlib.suppress(OSError):  # the shim's socket is the one file that is elsewhere
            Path(address.read_text().removeprefix("unix://")).unlink()
    for mount in _mounts_below(folder):
        run("umount", "-l", str(mount), check=False)
    for controller in (CGROUPS, *CGROUPS.iterdir()):
        _remove_cgroup(controller / cgroup.strip("/"))
    shutil.rmtree(folder, ignore_errors=True)


def _writers(folder: Path) -> set[int]:
    """Return processes that were started with a path of this fleet, such as the shim of a container that is gone."""
    found = set()
    needle = os.fsencode(f"{folder}/")
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if (
                needle in cmdline.read_bytes()
                and cmdline.with_name("comm").read_text().strip() in PROGRAMS
            ):
                found.add(int(cmdline.parent.name))
    return found


def _mounts_below(folder: Path) -> list[Path]:
    """Return all mount points in the folder, the innermost first."""
    rows = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [row.split(" ")[4].encode().decode("unicode_escape") for row in rows]
    return [Path(point) for point in reversed(points) if point.startswith(f"{folder}/")]


def _remove_cgroup(path: Path) -> None:
    for below, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            Path(below).rmdir()
