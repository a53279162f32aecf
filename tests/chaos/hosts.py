"""Faults of hosts and of the network (rows 59 to 61): a host dies, a link is cut."""

import time
from dataclasses import dataclass

from tests.chaos.fault import Fault
from tests.chaos.world import World

NOTICED_S = 6.0
CUT_S = 1.5  # a tcp call that was under way, and the next one on a connection that was kept


@dataclass(frozen=True)
class HostDied(Fault):
    """A host loses power.

    http callers elsewhere see a pause of seconds at most; tcp calls to it under way are lost.
    """

    rows = (61,)
    group = "host"
    well_s = 30.0
    loses_records = True
    host: str

    def strike(self, world: World) -> None:
        host, others = world.host(self.host), world.others(self.host)
        lost = host.engine.running()
        world.ended.update(lost)
        world.excuse(modes=["tcp"], for_s=CUT_S)
        since_s = time.monotonic()
        host.die()
        world.measure(
            "no host calls it",
            NOTICED_S,
            lambda: not any(world.is_called(c, others) for c in lost),
            since_s,
        )
        world.measure(
            "its keys are gone", host.ttl_s + 1, lambda: not _keys(world, self.host), since_s
        )


@dataclass(frozen=True)
class HostCutFromStore(Fault):
    """A host cannot reach etcd for longer than its lease.

    Its containers stay called, and it calls; nobody notices.
    """

    rows = (59,)
    group = "host"
    lasts_s = (17, 20)
    loses_records = True
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        world.host(self.host).isolate_from([member.address for member in world.fleet.etcd.members])
        world.wait(self.seconds)


@dataclass(frozen=True)
class HostsCutApart(Fault):
    """A host and the others cannot reach each other.

    http callers see a pause; each side uses what it reaches.
    """

    rows = (60,)
    group = "host"
    lasts_s = (3, 12)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        others = world.others(self.host)
        world.excuse(modes=["tcp"], for_s=CUT_S)
        world.host(self.host).isolate_from([other.address for other in others])
        world.wait(self.seconds)


@dataclass(frozen=True)
class CableFlaps(Fault):
    """A host's cable is cut for a second, three times.

    http callers see a pause at most; nothing is deleted.
    """

    rows = (59, 60)
    group = "host"
    host: str

    def strike(self, world: World) -> None:
        for _ in range(3):
            world.excuse(modes=["tcp"], for_s=CUT_S)
            world.host(self.host).machine.unplug()
            world.wait(1)
            world.host(self.host).machine.plug_in()
            world.wait(1)


def _keys(world: World, host: str) -> list[str]:
    return [key for key in world.fleet.etcd.entries() if f"/hosts/{host}/" in key]
