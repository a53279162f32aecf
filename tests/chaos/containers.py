"""Faults of containers (rows 1 to 9, 42, 44): stopped, killed, paused, restarted, replaced,
deployed.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from lab.calls import fetch
from lab.engine import WHOAMI, Engine
from tests.chaos.fault import Fault
from tests.chaos.world import Service, World

GONE_S = 1.0
LATE_S = 10.0
COMMAND_S = 5.0  # a docker command on a busy machine
CUT_S = 0.5  # a tcp call that is under way when its container ends
REUSED_PORT = 9000
# Serves, and after five seconds takes more memory than it may have.
GREEDY = (
    "import runpy, threading; threading.Timer(5, lambda: b'x' * (200 << 20)).start(); "
    "runpy.run_path('/whoami.py', run_name='__main__')"
)
CRASHING = "python3 -IS /whoami.py & sleep 1; exit 1"


@dataclass(frozen=True)
class ContainerStopped(Fault):
    """A container is stopped and ends at once.

    http callers see nothing; a tcp call under way is cut.
    """

    rows = (3,)
    group = "containers"
    host: str
    service: str

    def strike(self, world: World) -> None:
        end_container(self, world, "stop")


@dataclass(frozen=True)
class ContainerKilled(Fault):
    """A container is killed. http callers see nothing; a tcp call under way is cut."""

    rows = (4,)
    group = "containers"
    host: str
    service: str

    def strike(self, world: World) -> None:
        end_container(self, world, "kill")


def end_container(fault: ContainerStopped | ContainerKilled, world: World, verb: str) -> None:
    """Stop or kill it, and measure from the engine's own events until no host calls it and its
    record is gone.
    """
    container, engine = world.container(fault.service, fault.host), world.host(fault.host).engine
    world.ended.add(container)
    world.excuse(modes=["tcp"], for_s=COMMAND_S)
    began_s = time.time()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(engine.docker, verb, container)
        killed = partial(event_s, engine, container, "kill", began_s)
        world.measure("no host calls it", GONE_S, lambda: not world.is_called(container), killed)
        died = partial(event_s, engine, container, "die", began_s)
        world.measure("its record is gone", GONE_S, lambda: not world.is_recorded(container), died)
        done.result()
    world.wait(2)


def event_s(engine: Engine, container: str, action: str, since_s: float) -> float:
    """Return when, by the monotonic clock, the engine said that something happened; a busy one
    takes its time.
    """
    window = ("--since", f"{since_s:.6f}", "--until", f"{time.time():.6f}")
    which = (
        "--filter",
        f"container={container}",
        "--filter",
        f"event={action}",
        "--format",
        "{{.TimeNano}}",
    )
    times = engine.docker("events", *window, *which).split()
    return time.monotonic() - (time.time() - int(times[0]) / 1e9) if times else time.monotonic()


@dataclass(frozen=True)
class ContainerOutOfMemory(Fault):
    """The kernel kills a container that takes too much memory.

    Callers see no more of it than of a kill.
    """

    rows = (4,)
    group = "containers"
    host: str
    service: str

    def strike(self, world: World) -> None:
        host, service = world.host(self.host), world.service(self.service)
        limits = ("--memory", "40m", "--memory-swap", "40m", "--entrypoint", "python3")
        settings = {
            "SERVICE_NAME": service.name,
            "SERVICE_PORT": str(service.port),
            "SERVICE_MODE": service.mode,
        }
        container = host.engine.run(
            WHOAMI, "-P", *limits, command=("-IS", "-c", GREEDY), **settings
        )
        world.add(host, container)
        world.excuse(modes=["tcp"], for_s=20)
        world.measure("it is killed", 20, lambda: container not in host.engine.running())
        world.measure("its record is gone", GONE_S, lambda: not world.is_recorded(container))
        if not host.engine.inspect(container)[0]["State"]["OOMKilled"]:
            world.broken.append("the kernel did not kill it: the fault did not happen")


@dataclass(frozen=True)
class ContainerPaused(Fault):
    """A container accepts and never answers.

    New calls go elsewhere within a second; those it has wait for it.
    """

    rows = (5,)
    group = "containers"
    host: str
    service: str
    seconds: float

    def strike(self, world: World) -> None:
        container = world.container(self.service, self.host)
        # Whoever has to hear of it may be out of order at the same time: the other fault lasts ten
        # seconds at most.
        world.excuse(for_s=LATE_S if world.paired else GONE_S)
        world.host(self.host).engine.docker("pause", container)
        world.measure("no host calls it", GONE_S, lambda: not world.is_called(container))
        world.wait(self.seconds)

    def heal(self, world: World) -> None:
        world.host(self.host).engine.docker("unpause", world.container(self.service, self.host))


@dataclass(frozen=True)
class ContainerRestarted(Fault):
    """A container restarts and gets another host port.

    http callers see nothing; its record is never there twice.
    """

    rows = (6,)
    group = "containers"
    host: str
    service: str

    def strike(self, world: World) -> None:
        container = world.container(self.service, self.host)
        world.ended.add(container)
        world.excuse(modes=["tcp"], for_s=CUT_S + 1)
        world.host(self.host).engine.docker("restart", container)
        world.measure("all hosts call it again", 5, lambda: world.is_called_everywhere(container))


@dataclass(frozen=True)
class PortReused(Fault):
    """A container's host port goes to a container of another service.

    No caller of the first reaches the second.
    """

    rows = (7,)
    group = "containers"
    host: str

    def strike(self, world: World) -> None:
        host, old, new = world.host(self.host), world.side_service(), world.side_service()
        first = world.run_on_port(old, host, REUSED_PORT)
        world.measure("all hosts call the first", 5, lambda: world.is_called_everywhere(first))
        world.watch_replies(old)
        host.engine.docker("rm", "-f", first)
        second = world.run_on_port(new, host, REUSED_PORT)
        world.measure("all hosts call the second", 5, lambda: world.is_called_everywhere(second))
        world.wait(2)


@dataclass(frozen=True)
class PortClaimedTwice(Fault):
    """A container of another service asks for a service port that is in use.

    It is refused; callers see nothing.
    """

    rows = (42,)
    group = "containers"
    host: str
    service: str

    def strike(self, world: World) -> None:
        claimed, host = world.service(self.service), world.host(self.host)
        thief = world.add(host, host.whoami("thief", claimed.port, SERVICE_MODE=claimed.mode))
        world.measure("it is recorded", 5, lambda: world.is_recorded(thief))
        world.wait(2)
        if world.is_called(thief):
            world.broken.append(f"I1: a second service is called at port {claimed.port}")


@dataclass(frozen=True)
class CrashLoop(Fault):
    """A container ends a second after each start and is started again.

    It is called seldom; etcd is not flooded.
    """

    rows = (8,)
    group = "containers"
    lasts_s = (10, 15)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        host, service = world.host(self.host), world.side_service()
        flags = ("-P", "--restart", "always", "--entrypoint", "sh")
        settings = {"SERVICE_NAME": service.name, "SERVICE_PORT": str(service.port)}
        world.add(host, host.engine.run(WHOAMI, *flags, command=("-c", CRASHING), **settings))
        world.wait(self.seconds)


@dataclass(frozen=True)
class HealthFlaps(Fault):
    """A container's health changes every two seconds.

    It drains until it is well for a while; etcd is not flooded.
    """

    rows = (9,)
    group = "containers"
    lasts_s = (10, 16)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        host, service = world.host(self.host), world.side_service()
        check = (
            "--health-cmd",
            "python3 -IS /whoami.py check",
            "--health-interval",
            "1s",
            "--health-retries",
            "1",
        )
        flapping = world.run(service, host, *check)
        world.measure("all hosts call it", 10, lambda: world.is_called_everywhere(flapping))
        port = int(host.engine.docker("port", flapping, "8000").splitlines()[0].rpartition(":")[2])
        for turn in range(int(self.seconds / 2)):
            fetch(
                host.namespace,
                host.address,
                port,
                f"/health/{'on' if turn % 2 else 'off'}",
                method="POST",
            )
            world.wait(2)


@dataclass(frozen=True)
class LastInstanceStopped(Fault):
    """A service loses its only instance.

    Its callers get 503 from the same port, and are never refused.
    """

    rows = (44,)
    group = "containers"
    host: str

    def strike(self, world: World) -> None:
        service = world.side_service()
        only = world.run(service, world.host(self.host))
        world.measure("all hosts call it", 5, lambda: world.is_called_everywhere(only))
        world.host(self.host).engine.docker("kill", only)
        world.measure(
            "503 on each host",
            GONE_S,
            lambda: _statuses(world, service) == [503] * len(world.fleet.hosts),
        )


@dataclass(frozen=True)
class Deploy(Fault):
    """New containers of a service start on each host, and the old ones stop.

    http callers see nothing.
    """

    rows = (1, 3)
    group = "containers"
    service: str

    def strike(self, world: World) -> None:
        service = world.service(self.service)
        for host in world.fleet.hosts:
            old = world.container(service.name, host.name)
            new = host.whoami(
                service.name, service.port, SERVICE_MODE=service.mode, GENERATION=f"after{old[:6]}"
            )
            world.measure(
                "all hosts call the new one", 1.5, partial(world.is_called_everywhere, new)
            )
            world.ended.add(old)
            world.excuse(modes=["tcp"], for_s=COMMAND_S)
            host.engine.docker("stop", old)
            world.standing[service.name, host.name] = new


def _statuses(world: World, service: Service) -> list[int]:
    return [host.get(service.port).status for host in world.fleet.hosts]
