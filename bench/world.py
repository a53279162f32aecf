"""What is measured in: a pair from the images, containers made through the API, and records put straight into etcd."""

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.engine_api import Api
from bench.program import QUICK, STRONG
from catalog.access import Access, parse_members
from catalog.entries import Delete, Put
from catalog.keys import identity, key_of
from catalog.record import Instance, encode
from catalog.store import CHANGES_MAX, Store
from discover.haproxy.ports import bridge_gateway
from tests.parts.engine import LABEL, Engine, Pair, fetch

PREFIX = "/services"
TAG = os.environ.get("BENCH_TAG", "latest")
HOST = "bench-records"
DISCOVER, REGISTER = (
    "bin/docker-discover",
    "bin/docker-register",
)  # in the command line of each one's process
SCRIPT = ("sh", "-c", 'printf "%s" "$1" >/tmp/h.cfg && exec haproxy -f /tmp/h.cfg', "sh")


def gateway() -> str:
    """Return the Docker bridge's own address: published ports are there without the userland proxy between."""
    address = bridge_gateway()
    assert address, "this machine has no docker0: the bench needs Docker's default bridge"
    return address


@contextlib.contextmanager
def pair_of(engine: Engine, *, split: bool = False, **discover: str) -> Iterator[Pair]:
    """Run a pair that announces published ports as a host does: by an address that is not loopback."""
    with _free_pair(engine, discover, split) as pair:
        yield pair


class TaggedPair(Pair):
    """A pair from the images with the tag that BENCH_TAG names: two builds can be compared."""

    tag = f":{TAG}"


def _free_pair(engine: Engine, discover: dict[str, str], split: bool) -> Pair:
    """Return a pair at an address that no test beside this one uses."""
    while True:
        pair = TaggedPair(engine, register={"HOST_IP": gateway()}, discover=discover, split=split)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind((pair.address, 1936))
            return pair


@dataclass(slots=True)
class Made:
    """A container that was created, and perhaps started."""

    id: str
    service: str
    port: int
    api: Api = field(repr=False)

    @property
    def short(self) -> str:
        return self.id[:12]

    def start(self) -> None:
        self.api.call("POST", f"/containers/{self.id}/start")

    def stop(self, patience_s: int) -> None:
        self.api.call("POST", f"/containers/{self.id}/stop?t={patience_s}")

    def kill(self) -> None:
        self.api.call("POST", f"/containers/{self.id}/kill")

    def remove(self) -> None:
        self.api.remove(self.id)

    def host_port(self) -> int:
        bindings = self.api.inspect(self.id)["NetworkSettings"]["Ports"][f"{self.port}/tcp"]
        return int(bindings[0]["HostPort"])


class Maker:
    """Makes containers of one session, which removes them; labels and environment come as they are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.api = Api()

    def quick(self, service: str, port: int, **labels: str) -> Made:
        """Create one that listens as early as possible."""
        return self._make(
            "tandem-whoami", ["perl", "-e", QUICK, service, str(port)], service, port, labels
        )

    def strong(self, service: str, port: int, **labels: str) -> Made:
        """Create one that takes thousands of calls a second."""
        config = STRONG.format(port=port, service=service)
        labels = {"SERVICE_IGNORE": "false", **labels}  # the image says that it is none
        return self._make("docker-discover", [*SCRIPT, config], service, port, labels)

    def on_host(self, config: str) -> Made:
        """Create a HAProxy in the host's own network."""
        return self._make("docker-discover", [*SCRIPT, config], "", 0, {"SERVICE_IGNORE": "true"})

    def whoami(self, service: str, port: int, environment: dict[str, str], **labels: str) -> Made:
        """Create one of tandem-whoami."""
        env = {"PORTS": str(port), "SERVICE_NAME": service, **environment}
        return self._make("tandem-whoami", None, service, port, labels, env)

    def stub(self, service: str, answers: Path, **labels: str) -> Made:
        """Create one of docker-stub with a folder of answers."""
        return self._make(
            "docker-stub", None, service, 8000, labels, binds=(f"{answers}:/stub:ro",)
        )

    def _make(
        self,
        image: str,
        command: list[str] | None,
        service: str,
        port: int,
        labels: dict[str, str],
        environment: dict[str, str] | None = None,
        binds: tuple[str, ...] = (),
    ) -> Made:
        body: dict[str, Any] = {
            "Image": image,
            "Labels": {LABEL: self._engine.session, **labels},
            "Env": [f"{name}={value}" for name, value in (environment or {}).items()],
            "HostConfig": {"NetworkMode": "host"},
        }
        if port:
            body["ExposedPorts"] = {f"{port}/tcp": {}}
            body["HostConfig"] = {
                "PortBindings": {f"{port}/tcp": [{"HostPort": ""}]},
                "Binds": list(binds),
            }
        if command:
            body |= {
                "Entrypoint": command[:1],
                "Cmd": command[1:],
                "Healthcheck": {"Test": ["NONE"]},
            }
        return Made(
            self.api.call("POST", "/containers/create", body)["Id"], service, port, self.api
        )


def record(
    number: int, service: str, address: str, port: int, service_port: int, **changes: Any
) -> Instance:
    """Return the record of an instance that nobody registered."""
    base = Instance(
        service=service,
        address=address,
        port=port,
        container=f"{number:012x}" + "b" * 52,
        container_port=80,
        service_port=service_port,
        container_name=f"{service}-{number}",
    )
    return replace(base, **changes)


class Records:
    """Puts records straight into a pair's etcd, as a registrar of another host would, for good and without a fence."""

    def __init__(self, address: str) -> None:
        self._store = Store(Access(parse_members(f"{address}:2379")), deadline_s=10.0)
        self._revisions: dict[str, int] = {}

    def put(self, *instances: Instance) -> None:
        keys = {key_of(PREFIX, identity(HOST, each)): encode(each) for each in instances}
        puts = [Put(key, value, self._revisions.get(key, 0)) for key, value in keys.items()]
        for some in _chunks(puts):
            revision = self._store.write(some, lease=0)
            self._revisions |= {put.key: revision for put in some}

    def delete(self, *instances: Instance) -> None:
        keys = [key_of(PREFIX, identity(HOST, each)) for each in instances]
        for some in _chunks([Delete(key, self._revisions.pop(key)) for key in keys]):
            self._store.write(some, lease=0)

    def revision(self) -> int:
        return self._store.list(PREFIX, values=False).revision

    def close(self) -> None:
        self._store.close()


def metric(pair: Pair, name: str, *, port: int = 9302) -> float:
    """Return a counter of one of the two, all its labels summed; 0 if it has none of that name."""
    lines = fetch(pair.address, port, "/metrics").text.splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if line.partition("{")[0].partition(" ")[0] == name
    )


def listens(pair: Pair, port: int) -> bool:
    """Whether a pair's HAProxy listens on a port."""
    try:
        socket.create_connection((pair.address, port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def _chunks(changes: list[Any]) -> Iterable[list[Any]]:
    return (changes[i : i + CHANGES_MAX] for i in range(0, len(changes), CHANGES_MAX))
