"""Faults of HAProxy (rows 50, 53 to 55): killed, silent, without its socket, or with a port that is
taken.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass

from lab.process import Process
from tests.chaos.fault import Fault
from tests.chaos.world import World

BACK_S = 2.0
MENDED_S = 15.0
LISTENER = (
    "import socket, threading; s = socket.create_server(('127.0.0.1', {port})); "
    "threading.Event().wait()"
)


@dataclass(frozen=True)
class HaproxyKilled(Fault):
    """HAProxy is killed. Calls of its own host fail until it is back; it starts from the file."""

    rows = (53,)
    group = "discover"
    host: str
    politely: bool  # the worker dies, instead of the master

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        pids = host.haproxy_pids()
        world.excuse(hosts=[self.host], for_s=BACK_S)
        since_s = time.monotonic()
        os.kill(pids[-1 if self.politely else 0], signal.SIGKILL)
        world.measure(
            "the old one is gone", BACK_S, lambda: not set(pids) & set(host.haproxy_pids()), since_s
        )
        world.measure("calls succeed", BACK_S, lambda: all(_answers(world, self.host)), since_s)
        world.wait(1)


@dataclass(frozen=True)
class HaproxySilent(Fault):
    """HAProxy hangs.

    Calls of its own host wait until docker-discover has noticed and started another one.
    """

    rows = (54,)
    group = "discover"
    host: str

    def strike(self, world: World) -> None:
        pids = world.host(self.host).haproxy_pids()
        world.excuse(hosts=[self.host], for_s=MENDED_S)
        since_s = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        world.measure("calls succeed", MENDED_S, lambda: all(_answers(world, self.host)), since_s)

    def heal(self, world: World) -> None:
        for pid in world.host(self.host).haproxy_pids():
            os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True)
class HaproxySocketGone(Fault):
    """Somebody removes HAProxy's master socket.

    Containers still come and go; callers see nothing.
    """

    rows = (55,)
    group = "discover"
    host: str
    service: str

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        (host.run_dir / "master.sock").unlink()
        added = world.run(world.service(self.service), host)
        world.measure("a new container is called", 5, lambda: world.is_called_everywhere(added))


@dataclass(frozen=True)
class PortTaken(Fault):
    """Another program of a host has the port of a new service.

    Only that service lacks there; no pause for others.
    """

    rows = (50,)
    group = "discover"
    well_s = 35.0  # a port that was taken is tried again every 30 s
    host: str

    def strike(self, world: World) -> None:
        host, service = world.host(self.host), world.side_service()
        words = host.namespace.command(sys.executable, "-c", LISTENER.format(port=service.port))
        other = Process(host.folder, "listener", words, host.folder)
        other.start()
        try:
            world.wait(0.5)
            only = world.run(service, world.others(self.host)[0])
            world.measure(
                "others call it",
                5,
                lambda: world.is_called_everywhere(only, world.others(self.host)),
            )
            world.wait(2)
        finally:
            other.kill()


def _answers(world: World, host: str) -> list[bool]:
    return [
        world.host(host).get(service.port, timeout_s=1).status == 200 for service in world.services
    ]
