"""One control group for all that is measured, with precedence over the rest of the machine.

The kernel divides CPU time between groups first: a proxy in a container would get another share of
a busy machine than one that was started here.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
NAME = "tandem-bench"
# cgroups(7): the file of each version, and twenty times what a group has by default
V1_SHARES = ("cpu.shares", "20480")
V2_WEIGHT = ("cpu.weight", "2000")


@dataclass(frozen=True, slots=True)
class Group:
    """The group; what its processes start belongs to it too."""

    path: Path

    def take(self, pids: Iterable[int]) -> None:
        """Move processes into it."""
        _move(pids, self.path)


@contextlib.contextmanager
def one_group() -> Iterator[Group]:
    """Make the group, with this program in it, until the end of the block."""
    is_v2 = (CGROUPS / "cgroup.controllers").exists()
    parent = CGROUPS if is_v2 else CGROUPS / "cpu"
    file, value = V2_WEIGHT if is_v2 else V1_SHARES

    path = parent / f"{NAME}-{os.getpid()}"
    path.mkdir()
    try:
        (path / file).write_text(value)
        _move([os.getpid()], path)
        yield Group(path)
    finally:
        _move(map(int, (path / "cgroup.procs").read_text().split()), parent)
        path.rmdir()


def _move(pids: Iterable[int], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
