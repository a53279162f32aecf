"""The fleet on one machine: three hosts and three etcd members. Build, mend and remove it.

with Fleet(folder) as fleet:
    one = fleet.h1.whoami("web", 8001)
    fleet.h2.get(8001)                    # answered by the container on h1
    fleet.etcd.members[0].pause()
    fleet.h1.die()
    fleet.mend()                          # all runs and is connected again, no container is left
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from lab.engine import WHOAMI
from lab.etcd import Cluster
from lab.host import HOUSE, Host
from lab.network import Machine, Wire
from lab.process import LabError, Process, run
from lab.sweep import sweep
from lab.wait import wait_for

HOSTS = 3
TTL_S = 15  # what docker-register has by default
QUIET_S = 60.0


class Fleet:
    """`hosts`, `etcd` and `wire` are its parts; `log` is what was done to it, and when.

    `code` is the checkout that the pair runs from: a copy, or another version.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ttl_s: int = TTL_S,
        code: Path = HOUSE,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder.resolve()
        self.log: list[tuple[float, str]] = []
        self._say = say
        self._began_s = time.monotonic()
        # One name for each folder: fleets of a machine share nothing but cgroups.
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()
        self.cgroup = f"/tandem-lab-{digest[:8]}"
        self.wire = Wire(self.folder)
        self.etcd = Cluster(self.wire, self.folder)
        self.hosts = [
            Host(
                self.wire,
                self.folder,
                number,
                etcd_hosts=self.etcd.hosts,
                ttl_s=ttl_s,
                cgroup=self.cgroup,
                code=code,
            )
            for number in range(1, HOSTS + 1)
        ]
        self.h1, self.h2, self.h3 = self.hosts
        self._lock: int | None = None

    def __enter__(self) -> "Fleet":
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def machines(self) -> list[Machine]:
        """Every end of the wire."""
        members = [member.machine for member in self.etcd.members]
        hosts = [host.machine for host in self.hosts]
        return members + hosts

    def note(self, what: str) -> None:
        """Write down what is done to the fleet."""
        at_s = time.monotonic() - self._began_s
        self.log.append((at_s, what))

    # -- up and down

    def up(self) -> None:
        """Build it, after removing the rest of a run that was killed.

        Raises LabError if it runs already.
        """
        self.lock()
        try:
            self.sweep()
            self.step("connecting 3 hosts and 3 etcd members", self.lay)
            self.step("starting etcd and the engines", self._start_ground)
            self.step(f"loading {WHOAMI} into each engine", self._load)
            self.step("starting the pair on each host", self._start_pairs)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Remove it, without a trace."""
        self.sweep()
        for process in self.processes:
            process.reap()

        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            self._lock_file.unlink(missing_ok=True)

    def lock(self) -> None:
        """Keep other processes from building or breaking this fleet, until this process ends."""
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._lock = os.open(self._lock_file, flags, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise LabError(
                f"another process is using the fleet in {self.folder}: wait for it to end"
            ) from error

    def sweep(self) -> None:
        """Remove all that is left of a fleet in this folder, also after a crash."""
        sweep(self.folder, self.cgroup)

    def stands(self) -> bool:
        """Whether it is up: every program runs."""
        return all(process.alive for process in self.processes)

    @property
    def processes(self) -> list[Process]:
        """Every program of the fleet but HAProxy, which docker-discover starts."""
        processes = [member.process for member in self.etcd.members]
        for host in self.hosts:
            processes += host.processes
        return processes

    def step(self, what: str, action: Callable[[], None]) -> None:
        """Do something and report how long it took."""
        began = time.monotonic()
        action()
        took_s = time.monotonic() - began
        self._say(f"  {what:<52} {took_s:4.0f} s")

    # -- between two faults

    def mend(self) -> None:
        """Bring it back: all is up, connected and ready, no container and no instance is left."""
        for member in self.etcd.members:
            member.resume()
            member.plug_in()
            member.machine.unblock()

        self.etcd.start()
        for host in self.hosts:
            host.boot()

        self.etcd.wait()
        self._on_each(_remove_containers)
        for host in self.hosts:
            host.wait()

        wait_for(lambda: not self.instances(), QUIET_S, "no instance is left in etcd")
        wait_for(self._has_no_server, QUIET_S, "no server is left in any HAProxy")

    def _has_no_server(self) -> bool:
        return not any(host.servers() for host in self.hosts)

    def instances(self) -> dict[str, str]:
        """Return every instance key with its record."""
        entries = self.etcd.entries()
        return {key: text for key, text in entries.items() if "/instances/" in key}

    # -- steps

    def lay(self) -> None:
        """Make the wire and every machine, with nothing running on them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # HAProxy's workers give up root and still have to reach their sockets.
        self.folder.chmod(0o755)

        self.wire.create()
        for machine in self.machines:
            machine.create()

    def _start_ground(self) -> None:
        self.etcd.start()
        for host in self.hosts:
            host.engine.start()

        self._on_each(lambda host: host.engine.wait())
        self.etcd.wait()

    def _load(self) -> None:
        archive = self.folder / "whoami.tar"
        run("docker", "save", "-o", str(archive), WHOAMI)
        self._on_each(lambda host: host.engine.load(archive))
        archive.unlink()

    def _start_pairs(self) -> None:
        for host in self.hosts:
            host.start_pair()
        for host in self.hosts:
            host.wait()

    def _on_each(self, action: Callable[[Host], None]) -> None:
        """Do something on all hosts at once."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            futures = [pool.submit(action, host) for host in self.hosts]
            for future in futures:
                future.result()

    @property
    def _lock_file(self) -> Path:
        return self.folder.with_suffix(".lock")


def _remove_containers(host: Host) -> None:
    host.engine.wait()
    host.engine.set_live_restore(False)
    host.engine.remove_all()
