"""Containers on this machine's engine for end-to-end tests, and a whole pair from the images on an
address of its own.

with Engine() as engine, Pair(engine) as pair:
    one = engine.run("tandem-whoami", "-P", SERVICE_NAME="web")
    wait_for(lambda: one.short in pair.get(8000).text, 5, "the new container answers")
"""

import contextlib
import http.client
import itertools
import json
import os
import subprocess
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.parts import leftovers
from tests.parts.wait import wait_for

LABEL = leftovers.LABEL
COMMAND_S = 60.0
READY_S = 30.0
DISCOVER_METRICS = 9302
REGISTER_METRICS = 9301
SOCKETS = "/run/haproxy"  # what both containers of the split form share

_addresses = itertools.count(1)


def docker(*arguments: str, check: bool = True) -> str:
    """Run the docker command; return what it printed, errors too."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=COMMAND_S,
        check=False,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}"
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str


def fetch(
    host: str,
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    timeout_s: float = 5.0,
    host_header: str = "",
) -> Reply:
    """Make one request on a connection of its own. A refusal or a cut connection raises OSError."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            headers = {"Connection": "close"} | ({"Host": host_header} if host_header else {})
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Reply(response.status, response.read().decode())
        except http.client.HTTPException as error:
            raise ConnectionError(f"{host}:{port}{path}: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Container:
    """A container that a test started; it is removed with its engine's session."""

    id: str
    name: str

    @property
    def short(self) -> str:
        """The first 12 digits: its host name, and what tandem-whoami answers."""
        return self.id[:12]

    def do(self, verb: str, *arguments: str) -> str:
        """`docker VERB ARGUMENTS THIS`, such as do("stop", "-t", "1"); a verb that needs it comes
        first.
        """
        return docker(verb, *arguments, self.id)

    def exec(self, *command: str, check: bool = True) -> str:
        """Run a command in it and return what it printed."""
        return docker("exec", self.id, *command, check=check)

    def logs(self) -> str:
        """Everything it has printed."""
        return docker("logs", self.id)

    def inspect(self) -> dict[str, Any]:
        """What the engine knows about it."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", self.id))
        return found[0]

    def state(self) -> dict[str, Any]:
        """Status, ExitCode, Health and the like."""
        state: dict[str, Any] = self.inspect()["State"]
        return state

    def host_port(self, port: int) -> int:
        """The port of the host that leads to its own."""
        bindings = self.inspect()["NetworkSettings"]["Ports"][f"{port}/tcp"]
        return int(bindings[0]["HostPort"])

    def pids(self, word: str) -> list[int]:
        """The processes in it whose command line has the word, as this machine numbers them; oldest
        first.
        """
        lines = docker("top", self.id, "-eo", "pid,args").splitlines()[1:]
        return sorted(int(line.split()[0]) for line in lines if word in line)


class Engine:
    """A session of containers: whatever it ran is gone when it is left, volumes and networks
    too.
    """

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex[:8]
        self.session = f"{leftovers.this_run()}.{self._name}"  # the value of the label
        self.label = f"{LABEL}={self.session}"

    def __enter__(self) -> "Engine":
        docker("version")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        ours = f"label={self.label}"
        if ids := docker("ps", "-aq", "--filter", ours).split():
            docker("rm", "-f", "-v", *ids)
        for kind_of in ("volume", "network"):
            if names := docker(kind_of, "ls", "-q", "--filter", ours).split():
                docker(kind_of, "rm", *names)

    def run(
        self,
        image: str,
        *flags: str,
        name: str = "",
        command: tuple[str, ...] = (),
        **environment: str,
    ) -> Container:
        """`docker run -d FLAGS IMAGE COMMAND`; the other keywords become its environment."""
        full_name = self.name(name or uuid.uuid4().hex[:8])
        variables = [
            word for key, value in environment.items() for word in ("-e", f"{key}={value}")
        ]
        ours = ("--name", full_name, "--label", self.label)
        return Container(
            docker("run", "-d", *ours, *variables, *flags, image, *command).splitlines()[-1],
            full_name,
        )

    def name(self, name: str) -> str:
        """A name that no other session uses."""
        return f"test-{self._name}-{name}"

    def network(self, name: str, *flags: str) -> str:
        """Make a bridge network and return its name."""
        docker("network", "create", "--label", self.label, *flags, self.name(name))
        return self.name(name)

    def volume(self, name: str) -> str:
        """Make a volume and return its name."""
        docker("volume", "create", "--label", self.label, self.name(name))
        return self.name(name)


class Pair:
    """etcd, docker-register and docker-discover from the images, on a loopback address that nobody
    else uses.

    So all ports are the usual ones: services on `pair.address`, statistics on 1936, health on 9301
    and 9302.
    `register` and `discover` are more settings for each; `split` gives HAProxy a container of its
    own. Only containers
    that ask are published, so that other containers of this machine stay outside;
    REGISTER="published" changes that.
    """

    tag = ""  # of the images, with its colon; none is Docker's :latest

    def __init__(
        self,
        engine: Engine,
        *,
        register: dict[str, str] | None = None,
        discover: dict[str, str] | None = None,
        split: bool = False,
    ) -> None:
        self.engine = engine
        self._split = split
        # Two runs at a time (tests and bench) must not meet.
        self.address = f"127.77.{os.getpid() % 254 + 1}.{next(_addresses)}"
        self.settings = {
            "docker-register": {
                "METRICS": f"{self.address}:{REGISTER_METRICS}",
                "HOST_ID": self.address.replace(".", "-"),
                "REGISTER": "labelled",
                **(register or {}),
            },
            "docker-discover": {
                "METRICS": f"{self.address}:{DISCOVER_METRICS}",
                "BIND": self.address,
                "STATS": f"{self.address}:1936",
                **(discover or {}),
            },
        }
        self.etcd = self.register = self.discover = self.haproxy = Container("", "")

    def __enter__(self) -> "Pair":
        self.etcd = self.engine.run("tandem-etcd", "-p", f"{self.address}:2379:2379")
        self.register = self.run(
            "docker-register", "-v", "/var/run/docker.sock:/var/run/docker.sock"
        )
        volumes = ["-v", f"{self.engine.volume(f'state-{self.address}')}:/var/lib/tandem"]
        if self._split:
            volumes += ["-v", f"{self.engine.volume(f'sockets-{self.address}')}:{SOCKETS}"]
            self.settings["docker-discover"] |= {"RUN_DIR": SOCKETS, "HAPROXY_SUPERVISED": "true"}
            self.haproxy = self.run(
                "docker-discover", *volumes, "--entrypoint", "init", command=("haproxy",)
            )
        self.discover = self.run("docker-discover", *volumes)
        self.wait_until_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        all_ = (self.discover, self.haproxy, self.register, self.etcd)
        ids = [container.id for container in all_ if container.id]
        if error:
            for container in (self.register, self.discover):
                print(f"--- {container.name}\n{container.logs()[-4000:]}" if container.id else "")
        docker("rm", "-f", "-v", *ids)

    def run(self, image: str, *flags: str, command: tuple[str, ...] = (), **more: str) -> Container:
        """Start one of the two; also a second one beside it, or a new one after the old one was
        removed.
        """
        settings = {"ETCD_HOST": f"{self.address}:2379", **self.settings[image], **more}
        return self.engine.run(
            f"{image}{self.tag}", "--net", "host", *flags, name="", command=command, **settings
        )

    def wait_until_ready(self) -> None:
        """Return when both say so."""
        for port in (REGISTER_METRICS, DISCOVER_METRICS):
            wait_for(lambda port=port: self._ready(port), READY_S, f"{self.address}:{port}/readyz")  # type: ignore[misc]

    def _ready(self, port: int) -> bool:
        reply = fetch(self.address, port, "/readyz")
        assert reply.status == 200, reply.text
        return True

    def get(self, port: int, path: str = "/", *, host_header: str = "") -> Reply:
        """Call a service through this pair's HAProxy."""
        return fetch(self.address, port, path, host_header=host_header)

    def etcdctl(self, *arguments: str) -> str:
        """Ask this pair's etcd."""
        return self.etcd.exec("etcdctl", *arguments)

    def keys(self) -> list[str]:
        """Every key in etcd, in order."""
        return [
            key for key in self.etcdctl("get", "--prefix", "", "--keys-only").splitlines() if key
        ]
