"""Faults of resources (rows 31, 63, 65): too little CPU, no file descriptors left, a slow etcd."""

import resource
from collections.abc import Sequence
from dataclasses import dataclass

from lab.process import Process
from tests.chaos.fault import Fault
from tests.chaos.world import World


def starve(
    world: World,
    processes: Sequence[Process],
    seconds: float,
    *,
    stopped_s: float,
    running_s: float,
) -> None:
    """Let processes run for moments only."""
    for _ in range(int(seconds / (stopped_s + running_s))):
        for process in processes:
            process.pause()
        world.wait(stopped_s)
        for process in processes:
            process.resume()
        world.wait(running_s)


@dataclass(frozen=True)
class SidecarsStarved(Fault):
    """Both sidecars of a host get a tenth of the time. No lease is lost; callers see nothing."""

    rows = (65,)
    group = "registrar"
    lasts_s = (10, 18)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        starve(world, [host.register, host.discover], self.seconds, stopped_s=0.9, running_s=0.1)


@dataclass(frozen=True)
class StoreSlow(Fault):
    """All etcd members answer after a second or more. No lease is lost; callers see nothing."""

    rows = (31,)
    group = "store"
    lasts_s = (8, 16)
    seconds: float

    def strike(self, world: World) -> None:
        members = [member.process for member in world.fleet.etcd.members]
        starve(world, members, self.seconds, stopped_s=0.7, running_s=0.3)


@dataclass(frozen=True)
class DescriptorsGone(Fault):
    """The sidecars of a host can open no file and no connection while a container starts.

    Callers see nothing.
    """

    rows = (63,)
    group = "registrar"
    lasts_s = (4, 10)
    host: str
    service: str
    seconds: float

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        limits = [
            (pid, resource.prlimit(pid, resource.RLIMIT_NOFILE))
            for pid in (host.register.pid, host.discover.pid)
            if pid
        ]
        for pid, (_, hard) in limits:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
        try:
            world.run(world.service(self.service), host)
            world.wait(self.seconds)
        finally:
            for pid, limit in limits:
                if pid in (host.register.pid, host.discover.pid):
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
