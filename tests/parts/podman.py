"""A Podman of its own, with the pair under it: folder, socket and configuration are the test's.

with Podman(folder) as podman:
    one = podman.run("tandem-whoami", "-p", "8000")
    podman.do("stop", one)
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.parts import leftovers
from tests.parts.engine import COMMAND_S, Reply, fetch
from tests.parts.etcd import Etcd
from tests.parts.wait import wait_for

START_S = 30.0
LIMIT = 4096  # open files, and processes
READY_S = 60.0  # two images start at once
BRIDGE = Path("/sys/class/net/cni-podman0")  # Debian 12's; netavark removes its own
# Podman asks for what root may have, which a container that tests run in may not.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
runtime = "{runtime}"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
[network]
network_config_dir = "{folder}/networks"
"""


class Podman:
    """`podman system service` on a socket of its own, and containers under it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        self._service: subprocess.Popen[bytes] | None = None
        self._had_bridge = BRIDGE.exists()
        (folder / "networks").mkdir()
        (folder / "sockets").mkdir()
        configuration = CONFIGURATION.format(
            files=_limit(resource.RLIMIT_NOFILE),
            processes=_limit(resource.RLIMIT_NPROC),
            runtime="crun" if shutil.which("crun") else "runc",
            folder=folder,
        )
        (folder / "containers.conf").write_text(configuration)

    @property
    def socket(self) -> Path:
        """The service's socket, in a folder of its own that can be mounted."""
        return self._folder / "sockets" / "podman.sock"

    def __enter__(self) -> "Podman":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.do("pod", "rm", "-fa", "-t", "0")
        self.do("rm", "-fa", "-t", "0")
        self.stop()
        if BRIDGE.exists() and not self._had_bridge:
            subprocess.run(["ip", "link", "delete", BRIDGE.name], check=False)

    def start(self) -> None:
        """Start the service; its containers do not need it."""
        with (self._folder / "service.log").open("ab") as log:
            self._service = subprocess.Popen(
                [*self._command(), "system", "service", "--time=0", f"unix://{self.socket}"],
                stdout=log,
                stderr=log,
                env=self._environ,
            )
        wait_for(self.socket.exists, START_S, "podman's socket")

    def stop(self) -> None:
        """End the service; its containers go on."""
        if self._service is not None:
            self._service.send_signal(signal.SIGTERM)
            self._service.wait(START_S)
        self._service = None
        self.socket.unlink(missing_ok=True)

    def load(self, *images: str) -> None:
        """Copy images from this machine's Docker engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                [*self._command(), "load", "-q"],
                stdin=saved.stdout,
                env=self._environ,
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=5 * COMMAND_S,
            )

    def do(self, *arguments: str, check: bool = True) -> str:
        """Run the podman command; return what it printed, errors too."""
        done = subprocess.run(
            [*self._command(), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=COMMAND_S,
            check=False,
            env=self._environ,
        )
        assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stdout}"
        return done.stdout.strip()

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Begin a command that takes its time."""
        return subprocess.Popen(
            [*self._command(), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
        )

    def run(self, image: str, *flags: str, command: tuple[str, ...] = (), **env: str) -> str:
        """`podman run -d FLAGS IMAGE COMMAND`; return the container's name."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        # A killed run is swept by this mark in the environment of what it started.
        env[leftovers.VARIABLE] = leftovers.this_run()
        variables = [word for key, value in env.items() for word in ("-e", f"{key}={value}")]
        self.do("run", "-d", "--name", name, *variables, *flags, image, *command)
        return name

    def id(self, container: str) -> str:
        """The first 12 digits of a container's id, which tandem-whoami answers."""
        return self.do("inspect", "-f", "{{.Id}}", container)[:12]

    def _command(self) -> list[str]:
        folder = self._folder
        return ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/runroot"]


def _limit(kind: int) -> int:
    """Return what a container of a test needs, or as much of it as this process may have."""
    _, hard = resource.getrlimit(kind)
    return LIMIT if hard == resource.RLIM_INFINITY else min(hard, LIMIT)


class PodmanPair:
    """docker-register and docker-discover from the images under Podman, beside a real etcd."""

    def __init__(self, podman: Podman, etcd: Etcd) -> None:
        self.podman, self.etcd = podman, etcd
        self.address = f"127.78.{os.getpid() % 254 + 1}.1"
        self.register = self.discover = ""

    @property
    def names(self) -> set[str]:
        """The names of the two containers."""
        return {self.register, self.discover}

    def start(self) -> None:
        """Start both and wait until they are ready."""
        self.start_register()
        self.discover = self._run(
            "docker-discover",
            BIND=self.address,
            STATS=f"{self.address}:1936",
            METRICS=f"{self.address}:9302",
        )
        for port in (9301, 9302):
            self.wait_ready(port)

    def start_register(self) -> None:
        """Start docker-register as docs/operations.md says, with the socket's folder mounted."""
        folder = self.podman.socket.parent
        self.register = self._run(
            "docker-register",
            *("-v", f"{folder}:/run/podman"),
            DOCKER_HOST=f"unix:///run/podman/{self.podman.socket.name}",
            HOST_IP="127.0.0.1",
            HOST_ID="podman",
            METRICS=f"{self.address}:9301",
            RESYNC="3600",  # only events can be in time
            TTL="60",  # Podman takes seconds for a container, on a busy machine tens
        )

    def _run(self, image: str, *flags: str, **settings: str) -> str:
        settings["ETCD_HOST"] = self.etcd.endpoint
        return self.podman.run(image, "--net", "host", *flags, command=(), **settings)

    def wait_ready(self, port: int) -> None:
        """Return when one of the two says that it is ready."""

        def ready() -> bool:
            reply = fetch(self.address, port, "/readyz")
            assert reply.status == 200, reply.text
            return True

        wait_for(ready, READY_S, f"{self.address}:{port}/readyz")

    def call(self, port: int) -> Reply:
        """Call a service through HAProxy."""
        return fetch(self.address, port)

    def explained(self) -> str:
        """Return what docker-register says to whoever asks why."""
        return fetch(self.address, 9301, "/explain").text

    def records(self, service: str) -> list[dict[str, Any]]:
        """Return the records of a service."""
        text = self.etcd.ctl("get", "--prefix", "/services/v1/hosts/podman/instances/")
        keys, values = text.splitlines()[::2], text.splitlines()[1::2]
        return [
            json.loads(value)
            for key, value in zip(keys, values, strict=True)
            if f"/{service}/" in key
        ]

    def states(self, service: str) -> list[str]:
        """Return the state of each instance of a service."""
        return [str(record["state"]) for record in self.records(service)]
