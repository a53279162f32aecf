"""One host of the fleet: its engine, its pair, its HAProxy, and what can happen to each of them and to all at once."""

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
from lab.process import LabError, Process, end_all
from lab.wait import wait_for

HOUSE = Path(__file__).parent.parent
FIRST_NUMBER = 11
READY_S = 60.0
REGISTER_PORT, DISCOVER_PORT, STATS_PORT = 9301, 9302, 1936
# srv_admin_state and srv_op_state: HAProxy management manual, "show servers state"
IN_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20
IS_STOPPED = 0
ANSWER_S = 5.0
_SERVICE = re.compile(
    r"[^:]+:[0-9]+"
)  # name and port; other backends repeat these servers, or have none that is one


@dataclass(frozen=True, slots=True)
class Server:
    """One server that HAProxy has in use: not in maintenance. `name` is the container's 12 digits and its port."""

    service: str
    name: str
    endpoint: str
    up: bool
    weight: int  # 0: drains


class Host:
    """One host. `engine`, `register` and `discover` can be killed, paused and started alone; `die` is all at once."""

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
        self.machine = Machine(wire, folder, self.name, FIRST_NUMBER + number - 1)
        self.namespace = self.machine.namespace
        self.folder = folder / self.name
        self.ttl_s = ttl_s
        bip = f"{NETWORK.rpartition('.')[0]}.{number}.1/24"
        self.engine = Engine(self.namespace, self.folder, bip=bip, cgroup=f"{cgroup}/{self.name}")
        self.register = self._python("register", self._register_flags(etcd_hosts), code)
        self.discover = self._python("discover", self._discover_flags(etcd_hosts), code)

    @property
    def address(self) -> str:
        """What the other hosts dial."""
        return self.machine.address

    def start_pair(self) -> None:
        """Start what of the pair does not run; does not wait."""
        self.register.start()
        self.discover.start()

    def wait(self, within_s: float = READY_S) -> None:
        """Return when both say that they are ready."""
        for port in (REGISTER_PORT, DISCOVER_PORT):
            is_ready = partial(self.is_ready, port)
            wait_for(is_ready, within_s, f"{self.name}: /readyz of port {port}")

    def is_ready(self, port: int) -> bool:
        """Whether docker-register (9301) or docker-discover (9302) says so. Raises OSError."""
        reply = self.get(port, "/readyz")
        if reply.status != 200:
            raise LabError(f"{self.name}:{port}: {reply.text.strip()}")
        return True

    # -- calls

    def get(self, port: int, path: str = "/", *, timeout_s: float = ANSWER_S) -> Reply:
        """Call a port of this host's loopback from inside: a service through its HAProxy. Raises OSError."""
        return fetch(self.namespace, "127.0.0.1", port, path, timeout_s=timeout_s)

    def load(
        self, port: int, service: str, *, close: int = 1, keep: int = 1, rate: float = 50
    ) -> Load:
        """Start calling a service from here; each of the clients makes `rate` calls a second until `end()`."""
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
        found: dict[str, Any] = json.loads(self.get(port, "/explain").text)
        return found

    # -- containers

    def whoami(
        self, service: str, port: int, *flags: str, generation: str = "v1", **environment: str
    ) -> str:
        """Start a container of a service that is dialled at `port`; returns its full id."""
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
        found = [pid for pid in self.namespace.pids() if _program(pid) == "haproxy"]
        return sorted(found)

    def ask_haproxy(self, command: str) -> str:
        """Ask the running worker through its admin socket. Raises OSError."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(ANSWER_S)
            admin.connect(str(self.run_dir / "admin.sock"))
            admin.sendall(command.encode() + b"\n")
            admin.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode(errors="replace")

    def servers(self) -> dict[str, Server]:
        """Return every server that stands for an instance, by name. Raises OSError."""
        _, names, *rows = self.ask_haproxy("show servers state").splitlines()
        fields = names.removeprefix("# ").split()
        states = [dict(zip(fields, row.split(), strict=False)) for row in rows if row.strip()]
        in_use = [s for s in states if _SERVICE.fullmatch(s["be_name"]) and _is_in_use(s)]
        return {state["srv_name"]: _server(state) for state in in_use}

    # -- what happens to all of it

    def die(self) -> None:
        """Lose power: the cable is dead, then every process is, containers too."""
        self.machine.unplug()
        end_all(self.namespace.pids())
        self.machine.forget_containers()
        self.engine.forget_dead()

    def boot(self) -> None:
        """Come back after `die`, or bring up whatever of this host does not run; does not wait for the pair."""
        for process in (self.engine.process, self.register, self.discover):
            process.resume()
        self.machine.plug_in()
        self.machine.unblock()
        self.engine.start()
        self.start_pair()

    def isolate_from(self, addresses: Sequence[str]) -> None:
        """Drop all packets between this host and these addresses; `machine.unblock()` ends it."""
        self.machine.block(addresses)

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def _python(self, module: str, flags: Sequence[str], code: Path) -> Process:
        command = self.namespace.command(sys.executable, "-m", module, *flags)
        return Process(self.folder, module, command, code)

    def _register_flags(self, etcd_hosts: str) -> list[str]:
        return [
            *("--etcd-host", etcd_hosts, "--docker-host", f"unix://{self.engine.socket}"),
            *(
                "--host-id",
                self.name,
                "--ttl",
                str(self.ttl_s),
                "--metrics",
                f"127.0.0.1:{REGISTER_PORT}",
            ),
        ]

    def _discover_flags(self, etcd_hosts: str) -> list[str]:
        return [
            *(
                "--etcd-host",
                etcd_hosts,
                "--state-dir",
                str(self.state_dir),
                "--run-dir",
                str(self.run_dir),
            ),
            *("--stats", f"127.0.0.1:{STATS_PORT}", "--metrics", f"127.0.0.1:{DISCOVER_PORT}"),
        ]


def _is_in_use(state: dict[str, str]) -> bool:
    return not int(state["srv_admin_state"]) & IN_MAINTENANCE


def _server(state: dict[str, str]) -> Server:
    return Server(
        service=state["be_name"].rpartition(":")[0],
        name=state["srv_name"],
        endpoint=f"{state['srv_addr']}:{state['srv_port']}",
        up=int(state["srv_op_state"]) != IS_STOPPED,
        weight=int(state["srv_uweight"]),
    )


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
