"""One host of the fleet: its engine, its pair, its HAProxy, and the faults of each and of all."""

import json
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.load import Load
from lab.calls import Reply, fetch
from lab.engine import WHOAMI, Engine
from lab.network import NETWORK, Machine, Wire
from lab.proc import program
from lab.process import LabError, Process, end_all
from lab.wait import wait_for

HOUSE = Path(__file__).parent.parent
FIRST_NUMBER = 11
READY_S = 60.0
REGISTER_PORT, DISCOVER_PORT, STATS_PORT = 9301, 9302, 1936
# srv_admin_state and srv_op_state: HAProxy management manual, "show servers state"
IN_MAINTENANCE = 0x01 | 0x02 | 0x20
IS_STOPPED = 0
ANSWER_S = 5.0
# A service's backend is `name:port`. Other backends repeat these servers, or have none.
_SERVICE_BACKEND = re.compile(r"[^:]+:[0-9]+")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is not in maintenance; `name` is the container's 12 digits and its port."""

    service: str
    name: str
    endpoint: str
    up: bool
    weight: int  # 0: it drains


class Host:
    """One host. `engine`, `register` and `discover` can fail alone; `die` ends all at once."""

    def __init__(
        self,
        wire: Wire,
        folder: Path,
        number: int,
        *,
        etcd_hosts: str,
        ttl_s: int,
        cgroup: str,
        code: Path = HOUSE,
    ) -> None:
        self.name = f"h{number}"
        self._names: dict[str, str] = {}  # of instances in HAProxy, by address
        address_number = FIRST_NUMBER + number - 1
        self.machine = Machine(wire, folder, self.name, address_number)
        self.namespace = self.machine.namespace
        self.folder = folder / self.name
        self.ttl_s = ttl_s
        two_octets, _, _ = NETWORK.rpartition(".")
        self.engine = Engine(
            self.namespace,
            self.folder,
            bip=f"{two_octets}.{number}.1/24",
            cgroup=f"{cgroup}/{self.name}",
        )
        self.register = self._sidecar("register", self._register_flags(etcd_hosts), code)
        self.discover = self._sidecar("discover", self._discover_flags(etcd_hosts), code)

    @property
    def address(self) -> str:
        """The address that the other hosts connect to."""
        return self.machine.address

    def start_pair(self) -> None:
        """Start the sidecars that do not run, without waiting."""
        self.register.start()
        self.discover.start()

    def wait(self, within_s: float = READY_S) -> None:
        """Return when both sidecars are ready."""
        for port in (REGISTER_PORT, DISCOVER_PORT):
            is_ready = partial(self.is_ready, port)
            wait_for(is_ready, within_s, f"{self.name}: /readyz of port {port}")

    def is_ready(self, port: int) -> bool:
        """Whether docker-register (9301) or docker-discover (9302) is ready.

        Raises OSError, and LabError with the reason if it is not.
        """
        reply = self.get(port, "/readyz")
        if reply.status != 200:
            raise LabError(f"{self.name}:{port}: {reply.text.strip()}")

        return True

    # -- calls

    def get(self, port: int, path: str = "/", *, timeout_s: float = ANSWER_S) -> Reply:
        """Call a port of this host's loopback from inside, so a service through its HAProxy.

        Raises OSError.
        """
        return fetch(self.namespace, "127.0.0.1", port, path, timeout_s=timeout_s)

    def load(
        self,
        port: int,
        service: str,
        *,
        close: int = 1,
        keep: int = 1,
        rate: float = 50,
    ) -> Load:
        """Start to call a service from here.

        Each client makes `rate` calls a second until `end()`.
        """
        return Load(
            "127.0.0.1",
            port,
            service,
            close=close,
            keep=keep,
            rate=rate,
            prefix=tuple(self.namespace.command()),
        )

    def explain(self, port: int = DISCOVER_PORT) -> dict[str, Any]:
        reply = self.get(port, "/explain")
        explained: dict[str, Any] = json.loads(reply.text)
        return explained

    # -- containers

    def whoami(
        self,
        service: str,
        port: int,
        *flags: str,
        generation: str = "v1",
        **environment: str,
    ) -> str:
        """Start a container of a service with this service port; returns its full id."""
        settings = {
            "SERVICE_NAME": service,
            "SERVICE_PORT": str(port),
            "GENERATION": generation,
            **environment,
        }
        return self.engine.run(WHOAMI, "-P", *flags, **settings)

    # -- HAProxy

    def haproxy_pids(self) -> list[int]:
        """Return HAProxy's processes, master first."""
        return [pid for pid in self.namespace.pids() if program(pid) == "haproxy"]

    def ask_haproxy(self, command: str) -> str:
        """Ask the running worker through its admin socket. Raises OSError."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(ANSWER_S)
            admin.connect(str(self.run_dir / "admin.sock"))
            admin.sendall(command.encode() + b"\n")
            admin.shutdown(socket.SHUT_WR)
            chunks = list(iter(lambda: admin.recv(65536), b""))

        return b"".join(chunks).decode(errors="replace")

    def servers(self) -> dict[str, Server]:
        """Return every server that represents an instance, by name.

        Raises OSError, also while docker-discover does not say yet whose server one is.
        """
        table = self.ask_haproxy("show servers state")
        _, head, *rows = table.splitlines()
        fields = head.removeprefix("# ").split()

        states = [dict(zip(fields, row.split(), strict=False)) for row in rows]
        states = [state for state in states if state and _is_instance(state)]
        names = self._names_of({_endpoint(state) for state in states})
        servers = [_server(state, names[_endpoint(state)]) for state in states]
        return {server.name: server for server in servers}

    def _names_of(self, endpoints: set[str]) -> dict[str, str]:
        """Return the instances at these addresses; docker-discover is asked for new ones alone."""
        if not endpoints <= self._names.keys():
            listeners = self.explain()["listeners"].values()
            self._names = {
                server["endpoint"]: server["name"]
                for listener in listeners
                for server in listener["servers"]
            }

        missing = endpoints - self._names.keys()
        if missing:
            raise OSError(f"{self.name}: docker-discover does not know {sorted(missing)}")

        # An address may be another container's later.
        self._names = {endpoint: self._names[endpoint] for endpoint in endpoints}
        return self._names

    # -- what happens to all of it

    def die(self) -> None:
        """Lose power: the cable is dead, then every process, also of containers."""
        self.machine.unplug()
        end_all(self.namespace.pids())
        self.machine.forget_containers()
        self.engine.forget_dead()

    def boot(self) -> None:
        """Start what does not run, after `die` or another fault, without waiting for the pair."""
        for process in self.processes:
            process.resume()

        self.machine.plug_in()
        self.machine.unblock()
        self.engine.start()
        self.start_pair()

    @property
    def processes(self) -> tuple[Process, ...]:
        """Every program of the host but HAProxy, which docker-discover starts."""
        return self.engine.process, self.register, self.discover

    def isolate_from(self, addresses: Sequence[str]) -> None:
        """Drop all packets between this host and these addresses; `machine.unblock()` ends it."""
        self.machine.block(addresses)

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def _sidecar(self, package: str, flags: Sequence[str], code: Path) -> Process:
        command = self.namespace.command(sys.executable, "-m", package, *flags)
        return Process(self.folder, package, command, code)

    def _register_flags(self, etcd_hosts: str) -> list[str]:
        return [
            f"--etcd-host={etcd_hosts}",
            f"--docker-host=unix://{self.engine.socket}",
            f"--host-id={self.name}",
            f"--ttl={self.ttl_s}",
            f"--metrics=127.0.0.1:{REGISTER_PORT}",
        ]

    def _discover_flags(self, etcd_hosts: str) -> list[str]:
        return [
            f"--etcd-host={etcd_hosts}",
            f"--state-dir={self.state_dir}",
            f"--run-dir={self.run_dir}",
            f"--stats=127.0.0.1:{STATS_PORT}",
            f"--metrics=127.0.0.1:{DISCOVER_PORT}",
        ]


def _is_instance(state: dict[str, str]) -> bool:
    in_maintenance = int(state["srv_admin_state"]) & IN_MAINTENANCE
    return bool(_SERVICE_BACKEND.fullmatch(state["be_name"])) and not in_maintenance


def _endpoint(state: dict[str, str]) -> str:
    return f"{state['srv_addr']}:{state['srv_port']}"


def _server(state: dict[str, str], name: str) -> Server:
    service, _, _ = state["be_name"].rpartition(":")
    return Server(
        service=service,
        name=name,
        endpoint=_endpoint(state),
        up=int(state["srv_op_state"]) != IS_STOPPED,
        weight=int(state["srv_uweight"]),
    )
