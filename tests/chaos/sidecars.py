"""Faults of the sidecars (rows 20 to 22, 49, 62): killed, silent, doubled, out of disk, given a
wrong template.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from lab.host import HOUSE, REGISTER_PORT, Host
from lab.process import Process
from tests.chaos.fault import Fault
from tests.chaos.world import World

BROKEN_TEMPLATE = "global\n{% if %}\n"
LINE, EDITED = "timeout client-fin 30s", "timeout client-fin 31s"
SECOND_PORT = 9311


@dataclass(frozen=True)
class RegistrarKilled(Fault):
    """docker-register is killed and starts again.

    Nobody sees anything: no record is deleted or written.
    """

    rows = (20,)
    group = "registrar"
    lasts_s = (0, 8)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        world.host(self.host).register.kill()
        world.wait(self.seconds)
        world.host(self.host).register.start()


@dataclass(frozen=True)
class RegistrarSilent(Fault):
    """docker-register hangs for longer than its lease.

    Its containers stay called, as their checks pass.
    """

    rows = (13, 14, 21)
    group = "registrar"
    lasts_s = (17, 20)
    loses_records = True
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        world.host(self.host).register.pause()
        world.wait(self.seconds)


@dataclass(frozen=True)
class RegistrarReplaced(Fault):
    """A hanging registrar is replaced by a second one, and wakes up with its old view.

    None of its writes counts.
    """

    rows = (21,)
    group = "registrar"
    lasts_s = (18, 21)
    well_s = 35.0  # the second one's lease has to end
    loses_records = True
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        host.register.pause()
        with second_registrar(host):
            world.wait(self.seconds)
            host.register.resume()
            world.wait(2)


@dataclass(frozen=True)
class RegistrarDoubled(Fault):
    """A second registrar runs under the same HOST_ID.

    It waits and says so; nobody sees anything.
    """

    rows = (22,)
    group = "registrar"
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        with second_registrar(world.host(self.host)) as second:
            world.measure("it says that it waits", 10, lambda: "waiting until" in second.log)
            world.wait(self.seconds)


@contextlib.contextmanager
def second_registrar(host: Host) -> Iterator[Process]:
    """Run one more docker-register for a host meanwhile."""
    command = [
        word.replace(f":{REGISTER_PORT}", f":{SECOND_PORT}") for word in host.register.command
    ]
    second = Process(host.folder, "register2", command, HOUSE)
    second.log_file.unlink(missing_ok=True)
    second.start()
    try:
        yield second
    finally:
        second.kill()


@dataclass(frozen=True)
class DiscoverKilled(Fault):
    """docker-discover is killed and starts again. HAProxy goes on; callers see nothing."""

    rows = (49,)
    group = "discover"
    lasts_s = (0, 8)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        world.host(self.host).discover.kill()
        world.wait(self.seconds)
        world.host(self.host).discover.start()


@dataclass(frozen=True)
class DiscoverSilent(Fault):
    """docker-discover hangs.

    HAProxy goes on with what it has, and its checks; callers see nothing.
    """

    rows = (49,)
    group = "discover"
    lasts_s = (3, 15)
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        world.host(self.host).discover.pause()
        world.wait(self.seconds)


@dataclass(frozen=True)
class SidecarsRestarted(Fault):
    """Both sidecars of every host restart, one host after the other.

    Callers see nothing; nothing is deleted.
    """

    rows = (20, 49)
    group = "discover"
    politely: bool

    def strike(self, world: World) -> None:
        for host in world.fleet.hosts:
            for process in (host.register, host.discover):
                (process.stop if self.politely else process.kill)()
            host.start_pair()
            host.wait()


@dataclass(frozen=True)
class TemplateBroken(Fault):
    """Somebody saves a template that is wrong. It is refused; containers still come and go."""

    rows = (45,)
    group = "discover"
    well_s = 5.0
    host: str
    service: str
    seconds: float

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        world.write_template(host, BROKEN_TEMPLATE)
        added = world.run(world.service(self.service), host)
        world.measure("a new container is called", 5, lambda: world.is_called_everywhere(added))
        world.wait(self.seconds)

    def heal(self, world: World) -> None:
        world.write_template(world.host(self.host), world.template)


@dataclass(frozen=True)
class TemplateEdited(Fault):
    """Somebody edits the template well. HAProxy reloads once; callers see nothing."""

    rows = (46, 52)
    group = "discover"
    host: str

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        world.write_template(host, world.template.replace(LINE, EDITED))
        world.measure(
            "the edit is in use", 2, lambda: EDITED in (host.state_dir / "haproxy.cfg").read_text()
        )

    def heal(self, world: World) -> None:
        world.write_template(world.host(self.host), world.template)


@dataclass(frozen=True)
class TemplateEditedAgain(Fault):
    """Somebody edits the template ten times in a row.

    HAProxy reloads no more than its budget; callers see nothing.
    """

    rows = (46, 52)
    group = "discover"
    host: str

    def strike(self, world: World) -> None:
        host = world.host(self.host)
        for number in range(10):
            world.write_template(
                host, world.template.replace(LINE, f"timeout client-fin {40 + number}s")
            )
            world.wait(0.5)

    def heal(self, world: World) -> None:
        world.write_template(world.host(self.host), world.template)


@dataclass(frozen=True)
class DiskFull(Fault):
    """The disk of STATE_DIR is full while containers start.

    The old file stays whole; callers see nothing.
    """

    rows = (62,)
    group = "discover"
    well_s = 5.0
    host: str
    service: str
    seconds: float

    def strike(self, world: World) -> None:
        with (
            (world.host(self.host).state_dir / "filler").open("wb", buffering=0) as filler,
            contextlib.suppress(OSError),
        ):
            while True:
                filler.write(b"x" * 4096)
        world.run(world.service(self.service), world.host(self.host))
        world.wait(self.seconds)

    def heal(self, world: World) -> None:
        (world.host(self.host).state_dir / "filler").unlink()
