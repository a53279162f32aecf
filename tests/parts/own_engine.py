"""One host with an engine and an etcd of its own, so that a test may end and start the engine.

with OwnEngine(folder) as host:
    host.engine.load_images("docker-register", WHOAMI)
    host.readme("docker-register")        # README's command, with this engine's socket
    host.restart(host.engine.stop)
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from lab.engine import WHOAMI, Engine
from lab.fleet import Fleet
from lab.network import Machine, Wire
from lab.process import ENVIRONMENT, Process, run
from tests.parts.wait import wait_for

README = Path(__file__).parents[2] / "README.md"
SOCKET = "/var/run/docker.sock"
ETCD_PORT = 4001
INSTANCES = "/services/v1/hosts/"
IMAGES_S = 120.0
LAST = "/services/last"  # a key that is written after all that a watch is to show
WATCH_S = "30"


class OwnEngine:
    """A namespace with an engine, `engine`, and an etcd; `address` is the host's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # It stands where a fleet's first host would, so that the same sweep removes it.
        fleet = Fleet(folder)
        self._sweep = fleet.sweep
        self._wire = Wire(folder)
        self._machine = Machine(self._wire, folder, "h1", 11)
        self.address = self._machine.address
        self.engine = Engine(
            self._machine.namespace, folder / "h1", bip="172.21.0.1/16", cgroup=fleet.cgroup
        )
        url = f"http://{self.address}:{ETCD_PORT}"
        flags = ("--listen-client-urls", url, "--advertise-client-urls", url)
        command = self._machine.namespace.command(
            "etcd", "--data-dir", str(folder / "etcd"), *flags
        )
        self._etcd = Process(folder, "etcd", command, folder)
        self._etcdctl = self._machine.namespace.command("etcdctl", f"--endpoints={url}")

    def __enter__(self) -> "OwnEngine":
        self._sweep()
        self.folder.mkdir(parents=True)
        try:
            self._wire.create()
            self._machine.create()
            self._etcd.start()
            self.engine.start(live_restore=False)
            self.engine.wait()
            self._load("docker-register", WHOAMI)
        except BaseException:
            self._sweep()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._sweep()
        self.engine.process.reap()
        self._etcd.reap()

    def _load(self, *images: str) -> None:
        archive = self.folder / "images.tar"
        run("docker", "save", "-o", str(archive), *images, timeout_s=IMAGES_S)
        self.engine.docker("load", "-q", "-i", str(archive), timeout_s=IMAGES_S)
        archive.unlink()

    def readme(self, name: str, *, without: str = "", mount: str = "") -> str:
        """Start a sidecar with README's command, and return the container's id.

        Only the engine's socket is another one. `without`: words of the command to leave out;
        `mount`: what stands there instead of the mount of the socket.
        """
        lines = README.read_text().splitlines()
        command = next(
            line for line in lines if f"--name {name} " in line and "docker run" in line
        ).strip()
        shown = f"-v {SOCKET}:{SOCKET}"
        assert shown in command
        assert without in command

        mount = mount or f"-v {self.engine.socket}:{SOCKET}"
        command = command.replace(without, "").replace(shown, mount)
        for variable, text in (
            ("$HOST_IP", self.address),
            ("$ETCD_HOST", f"{self.address}:{ETCD_PORT}"),
        ):
            command = command.replace(variable, text)
        _, *words = command.split()
        return self.engine.docker(*words).splitlines()[-1]

    def restart(self, end: Callable[[Engine], None], *, away: Callable[[], object] = tuple) -> None:
        """End the engine in some way, and start it; `away` is done while it is away."""
        end(self.engine)
        away()
        self.engine.start()
        self.engine.wait()

    def published(self) -> set[str]:
        """Return the first 12 digits of each container that has a record."""
        keys = self._ctl("get", "--prefix", INSTANCES, "--keys-only").split()
        return {key.rpartition("/")[2][:12] for key in keys if "/instances/" in key}

    def run(self, *flags: str) -> str:
        """Start a service's container, wait for its record, return its first 12 digits."""
        short = self.engine.run(WHOAMI, "-P", *flags)[:12]
        wait_for(lambda: short in self.published(), 20, "its record stands in etcd")
        return short

    def revision(self) -> int:
        """Return etcd's revision."""
        text = self._ctl("get", "x", "-w", "fields")
        return int(text.split('"Revision" : ')[1].split()[0])

    def deleted_since(self, revision: int) -> list[str]:
        """Return the keys of the catalog that went after a revision, by hand or with a lease."""
        self._ctl("put", LAST, "")
        command = [*self._etcdctl, "watch", "--prefix", "/services/", f"--rev={revision + 1}"]
        seen: list[str] = []
        with subprocess.Popen(
            ["timeout", WATCH_S, *command], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        ) as watch:
            assert watch.stdout is not None
            for line in watch.stdout:
                seen.append(line.rstrip("\n"))
                if seen[-1] == LAST:
                    break
            watch.terminate()

        assert seen, "the watch shows nothing at all"
        assert seen[-1] == LAST, "the watch does not reach what was written last"
        keys = [seen[number + 1] for number, line in enumerate(seen) if line == "DELETE"]
        return [key for key in keys if not key.startswith("/services/said/")]

    def clear(self) -> None:
        """Remove all containers, and all records."""
        self.engine.remove_all()
        self._ctl("del", "--prefix", "/services/")

    def _ctl(self, *arguments: str) -> str:
        return run(*self._etcdctl, *arguments)
