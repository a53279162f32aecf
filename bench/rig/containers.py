"""Create the measured containers through the engine's API, and start, stop and remove them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.rig.engine_api import Api
from bench.rig.programs import QUICK, STRONG
from tests.parts.engine import LABEL, Engine

HAPROXY_FILE = "tmp/h.cfg"  # below the root of its container
WRITE_AND_RUN = f'printf "%s" "$1" >/{HAPROXY_FILE} && exec haproxy -f /{HAPROXY_FILE}'
RUN_HAPROXY = ("sh", "-c", WRITE_AND_RUN, "sh")  # the configuration follows
# Labels or environment; those of one container come from several places and are merged.
Words = dict[str, str]


def labels_of(service: str, port: int) -> Words:
    """Return the labels that make a container an instance of a service."""
    return {"SERVICE_NAME": service, "SERVICE_PORT": str(port)}


@dataclass(slots=True)
class ApiContainer:
    """A container that was created, and perhaps started."""

    id: str
    port: int
    api: Api = field(repr=False)

    @property
    def short(self) -> str:
        return self.id[:12]

    def start(self) -> None:
        self.api.call("POST", f"/containers/{self.id}/start")

    def stop(self, patience_s: int) -> None:
        self.api.call("POST", f"/containers/{self.id}/stop?t={patience_s}")

    def kill(self, signal: str = "SIGKILL") -> None:
        self.api.call("POST", f"/containers/{self.id}/kill?signal={signal}")

    def remove(self) -> None:
        self.api.remove(self.id)

    def host_port(self) -> int:
        document = self.api.inspect(self.id)
        bindings = document["NetworkSettings"]["Ports"][f"{self.port}/tcp"]
        return int(bindings[0]["HostPort"])


class ContainerFactory:
    """Creates containers of one session, which removes them; labels are passed on unchanged."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.api = Api()

    def quick(self, service: str, port: int, **labels: str) -> ApiContainer:
        """Create one that listens as early as possible."""
        command = ["perl", "-e", QUICK, service, str(port)]
        return self._create("tandem-whoami", port, labels, command=command)

    def strong(self, service: str, port: int, **labels: str) -> ApiContainer:
        """Create one that answers thousands of calls a second."""
        command = [*RUN_HAPROXY, STRONG.format(port=port, service=service)]
        labels = {"SERVICE_IGNORE": "false", **labels}  # the image's own label is true
        return self._create("docker-discover", port, labels, command=command)

    def haproxy_on_host(self, config: str) -> ApiContainer:
        """Create a HAProxy in the host's own network."""
        labels = {"SERVICE_IGNORE": "true"}
        return self._create("docker-discover", None, labels, command=[*RUN_HAPROXY, config])

    def whoami(
        self,
        service: str,
        port: int,
        environment: Words,
        **labels: str,
    ) -> ApiContainer:
        """Create one of tandem-whoami."""
        variables = {"PORTS": str(port), "SERVICE_NAME": service, **environment}
        return self._create("tandem-whoami", port, labels, environment=variables)

    def stub(self, answers: Path, **labels: str) -> ApiContainer:
        """Create one of docker-stub with a folder of answers."""
        return self._create("docker-stub", 8000, labels, binds=[f"{answers}:/stub:ro"])

    def _create(
        self,
        image: str,
        port: int | None,
        labels: Words,
        *,
        command: list[str] | None = None,
        environment: Words | None = None,
        binds: list[str] | None = None,
    ) -> ApiContainer:
        """Create a container that publishes a port, or is in the host's network without one."""
        variables = environment or {}
        body: dict[str, Any] = {
            "Image": image,
            "Labels": {LABEL: self._engine.session, **labels},
            "Env": [f"{name}={value}" for name, value in variables.items()],
            "HostConfig": {"NetworkMode": "host"},
        }
        if port is not None:
            body["ExposedPorts"] = {f"{port}/tcp": {}}
            body["HostConfig"] = {
                "PortBindings": {f"{port}/tcp": [{"HostPort": ""}]},
                "Binds": binds or [],
            }
        if command:
            body["Entrypoint"] = command[:1]
            body["Cmd"] = command[1:]
            body["Healthcheck"] = {"Test": ["NONE"]}

        created = self.api.call("POST", "/containers/create", body)
        return ApiContainer(created["Id"], port or 0, self.api)
