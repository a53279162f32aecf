"""The fleet under chaos: services with instances on all hosts, and what the faults of a round are
excused for.
"""

import itertools
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab.engine import WHOAMI
from lab.fleet import Fleet
from lab.host import DISCOVER_PORT, HOUSE, REGISTER_PORT, Host
from lab.process import LabError, run
from lab.wait import wait_for
from tests.chaos.calls import Calls
from tests.parts.fleet.invariants import drift
from tests.parts.wait import let_pass

STATE_SIZE = "2m"  # a disk of its own for STATE_DIR, so that it can be full
MEASURE_S, PAIRED_S = 60.0, 8.0
FILL_S = 60.0
CUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """What callers dial; `name` is also what its instances answer with."""

    name: str
    port: int
    mode: str


WEB, DB = Service("web", 8001, "http"), Service("db", 8002, "tcp")


@dataclass(frozen=True, slots=True)
class Excuse:
    """Calls of these modes from these hosts may be lost if they began in this time."""

    hosts: tuple[str, ...]
    modes: tuple[str, ...]
    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Measure:
    """How long something took, and how long it may."""

    what: str
    seconds: float
    bound_s: float


class World:
    """The fleet, what stands on it, and what one round has seen; `begin_round` forgets the last
    one.
    """

    services = (WEB, DB)

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.standing: dict[tuple[str, str], str] = {}  # (service, host) -> container
        self.template = (HOUSE / "templates" / "haproxy.cfg.j2").read_text()
        self._side = itertools.count(1)
        self.begin_round()

    def begin_round(self, *, paired: bool = False) -> None:
        """Forget what was excused and measured.

        `paired`: two faults at once, so that no measure is one's own.
        """
        self.paired = paired
        self.excuses: list[Excuse] = []
        self.ended: set[str] = set()  # containers that the fault touched: they may leave
        self.measures: list[Measure] = []
        self.broken: list[str] = []
        self.extra: list[tuple[Host, str]] = []  # containers of this round only
        self.watched: list[Calls] = []  # calls that only have to come from the right service

    def prepare(self) -> None:
        """Give each docker-discover a small disk and a template of its own."""
        for host in self.fleet.hosts:
            host.discover.stop()
            kept = host.folder / "state.kept"
            shutil.copytree(host.state_dir, kept)
            run(
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size={STATE_SIZE},mode=755",
                "tmpfs",
                str(host.state_dir),
            )
            shutil.copytree(kept, host.state_dir, dirs_exist_ok=True)
            (host.folder / "template").mkdir()
            self.write_template(host, self.template)
            host.discover.command = [
                *host.discover.command,
                "--template",
                str(self._template_of(host)),
            ]
            host.discover.start()

    # -- who is who

    def host(self, name: str) -> Host:
        return next(host for host in self.fleet.hosts if host.name == name)

    def others(self, name: str) -> list[Host]:
        return [host for host in self.fleet.hosts if host.name != name]

    def container(self, service: str, host: str) -> str:
        """Return the standing instance of a service on a host."""
        return self.standing[service, host]

    def service(self, name: str) -> Service:
        return next(each for each in self.services if each.name == name)

    def side_service(self) -> Service:
        """Return a new service that lives for one round."""
        number = next(self._side)
        return Service(f"side{number}", 8100 + number, "http")

    # -- containers

    def run(self, service: Service, host: Host, *flags: str, **environment: str) -> str:
        """Start one more instance that this round removes; returns its full id."""
        container = host.whoami(
            service.name, service.port, *flags, SERVICE_MODE=service.mode, **environment
        )
        return self.add(host, container)

    def add(self, host: Host, container: str) -> str:
        """Let this round remove a container."""
        self.extra.append((host, container))
        self.ended.add(container)
        return container

    def run_on_port(self, service: Service, host: Host, port: int) -> str:
        """Start an instance that is published on this port of the host."""
        settings = {
            "SERVICE_NAME": service.name,
            "SERVICE_PORT": str(service.port),
            "SERVICE_MODE": service.mode,
        }
        return self.add(host, host.engine.run(WHOAMI, "-p", f"{port}:8000", **settings))

    def clear(self) -> None:
        """Remove this round's containers; what is under way to one of a tcp service is cut."""
        if self.extra:
            self.excuse(modes=["tcp"], for_s=CUT_S)
        for host, container in self.extra:
            host.engine.docker("rm", "-f", "-v", container, check=False)

    def fill(self) -> None:
        """Have one instance of each service on each host."""
        with ThreadPoolExecutor(len(self.fleet.hosts)) as pool:
            list(pool.map(self._fill_host, self.fleet.hosts))

    def _fill_host(self, host: Host) -> None:
        running = set(host.engine.running())
        for service in self.services:
            container = self.standing.get((service.name, host.name), "")
            if container not in running:
                if container:
                    host.engine.docker("rm", "-f", "-v", container, check=False)
                self.standing[service.name, host.name] = host.whoami(
                    service.name, service.port, SERVICE_MODE=service.mode
                )

    # -- what a fault may do

    def excuse(
        self, *, modes: Iterable[str] = ("http", "tcp"), hosts: Iterable[str] = (), for_s: float
    ) -> None:
        """Allow calls to be lost that are under way now or begin within so many seconds; from all
        hosts or some.
        """
        now_ns = time.time_ns()
        hosts = tuple(hosts) or tuple(host.name for host in self.fleet.hosts)
        # a call that is under way began at most as long ago as callers wait
        self.excuses.append(
            Excuse(hosts, tuple(modes), now_ns - 5 * 10**9, now_ns + int(for_s * 1e9))
        )

    def measure(
        self,
        what: str,
        bound_s: float,
        condition: Callable[[], object],
        since: float | Callable[[], float] | None = None,
    ) -> None:
        """Wait until something is so, and note how long it took since a moment: now, or one that is
        known only then.
        """
        began_s = time.monotonic()
        try:
            wait_for(condition, PAIRED_S if self.paired else MEASURE_S, what)
        except LabError as error:
            if not self.paired:
                self.broken.append(str(error))
        ended_s = time.monotonic()
        since_s = since() if callable(since) else since if since is not None else began_s
        self.measures.append(Measure(what, max(0.0, ended_s - since_s), bound_s))

    @staticmethod
    def wait(seconds: float) -> None:
        """Let a fault last."""
        let_pass(seconds)

    def watch_replies(self, service: Service) -> None:
        """Call a side service from every host until the round ends; only replies of others
        count.
        """
        self.watched.append(Calls(self.fleet.hosts, [service]))

    # -- conditions

    def is_recorded(self, container: str) -> bool:
        return any(container[:12] in key for key in self.fleet.instances())

    def is_called(self, container: str, hosts: Iterable[Host] = ()) -> bool:
        """Whether any of the hosts (default: all) would send new calls to a container.

        Raises OSError.
        """
        servers = [
            server for host in hosts or self.fleet.hosts for server in host.servers().values()
        ]
        return any(
            each.up and each.weight > 0 and each.name.startswith(container[:12]) for each in servers
        )

    def is_called_everywhere(self, container: str, hosts: Iterable[Host] = ()) -> bool:
        return all(self.is_called(container, [host]) for host in hosts or self.fleet.hosts)

    # -- files of docker-discover

    def write_template(self, host: Host, text: str) -> None:
        """Save a host's template as an editor does: a new file in the old one's place."""
        target = self._template_of(host)
        fresh = target.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(target)

    def _template_of(self, host: Host) -> Path:
        return host.folder / "template" / "haproxy.cfg.j2"

    # -- back to good

    def mend(self) -> None:
        """Start, continue and connect everybody again; returns when etcd and the engines answer."""
        for member in self.fleet.etcd.members:
            member.resume()
            member.plug_in()
            member.machine.unblock()
        self.fleet.etcd.start()
        for host in self.fleet.hosts:
            host.boot()
        for host in self.fleet.hosts:
            host.engine.wait()
        self.fleet.etcd.wait()

    def wait_well(self, within_s: float = FILL_S) -> float:
        """Return after how many seconds all was right: both sidecars ready, I3, and every server
        up.
        """
        began_s = time.monotonic()
        wait_for(self._is_well, within_s, "all is well")
        return time.monotonic() - began_s

    def _is_well(self) -> bool:
        for host in self.fleet.hosts:
            host.start_pair()  # as a supervisor would
            host.is_ready(REGISTER_PORT)
            host.is_ready(DISCOVER_PORT)
            if down := [each.name for each in host.servers().values() if not each.up]:
                raise LabError(f"{host.name}: {down} are down")
        if seen := drift(self.fleet):
            raise LabError(seen)
        return True
