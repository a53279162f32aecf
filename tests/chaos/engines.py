"""Faults of Docker engines (rows 15, 16, 18): restarted with their containers or without, killed,
silent.
"""

from dataclasses import dataclass

from lab.host import REGISTER_PORT
from tests.chaos.fault import Fault
from tests.chaos.world import World

START_S = 20.0  # an engine that starts takes its containers down one after the other
GONE_S = 5.0
TOLD_S = 40.0  # asked at RESYNC, and silent for five seconds; row 18 would have it within 10 s


@dataclass(frozen=True)
class EngineRestarted(Fault):
    """An engine restarts and keeps its containers (live-restore).

    Callers see nothing; nothing is deleted.
    """

    rows = (15,)
    group = "engine"
    host: str
    politely: bool

    def strike(self, world: World) -> None:
        engine = world.host(self.host).engine
        engine.set_live_restore(True)
        (engine.stop if self.politely else engine.kill)()
        world.wait(1)
        engine.start()
        engine.wait()
        world.host(self.host).engine.set_live_restore(False)


@dataclass(frozen=True)
class EngineEnded(Fault):
    """An engine ends, and starts again without its containers.

    http callers go elsewhere; its records leave.
    """

    rows = (16,)
    group = "engine"
    host: str
    politely: bool

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        lost = host.engine.running()
        world.ended.update(lost)
        world.excuse(modes=["tcp"], for_s=START_S)
        (host.engine.stop if self.politely else host.engine.kill)()
        world.wait(1)
        host.engine.start()
        host.engine.wait()
        world.measure(
            "their records are gone", GONE_S, lambda: not any(map(world.is_recorded, lost))
        )


@dataclass(frozen=True)
class EngineHung(Fault):
    """An engine accepts and never answers.

    Callers see nothing, nothing is deleted, and /readyz says so.
    """

    rows = (18,)
    group = "engine"
    lasts_s = (4, 12)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        host.engine.pause()
        world.measure(
            "/readyz says so", TOLD_S, lambda: host.get(REGISTER_PORT, "/readyz").status != 200
        )
        world.wait(self.seconds)
