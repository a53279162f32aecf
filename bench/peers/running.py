"""Run the instance, the peers and Tandem, all on one machine, until the end of a block."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.peers import configs
from bench.peers.one_group import one_group
from bench.peers.routes import (
    INSTANCE_PORT,
    LARGE,
    LARGE_BYTES,
    ROUTES,
    TWIN_OFFSETS,
    Route,
    Side,
)
from bench.peers.wire import FarHost, far_host
from bench.rig.containers import ContainerFactory
from bench.rig.pair import pair_of
from bench.rig.records import Records, record
from catalog.records.record import Instance
from lab.proc import program, with_descendants
from tests.parts.engine import Engine, Pair, docker
from tests.parts.wait import wait_for

ANSWERS_S = 30.0


@dataclass(frozen=True, slots=True)
class Field:
    """All sides, running; `roots` are the processes whose descendants a side consists of."""

    address: str
    roots: Mapping[Side, int]
    far: FarHost

    def url(self, side: Side, route: Route, path: str) -> str:
        host = route.host if side is Side.DIRECT else self.address
        port = route.port if side is Side.DIRECT else route.port_at(side)
        return f"http://{host}:{port}{path}"

    def pids(self, side: Side) -> list[int]:
        """Return the processes that carry a side's calls; a container has others too."""
        if side is Side.DIRECT:
            return []

        family = with_descendants({self.roots[side]})
        return [pid for pid in family if program(pid) in ("haproxy", "nginx", "caddy")]


@contextlib.contextmanager
def field(folder: Path) -> Iterator[Field]:
    """Run it; all of it is removed afterwards."""
    with contextlib.ExitStack() as stack:
        # The wire is outside the group: its real-time priority counts in none.
        far = stack.enter_context(far_host(folder))
        group = stack.enter_context(one_group())
        _start_instances(stack, folder, far)

        engine = stack.enter_context(Engine())
        pair = stack.enter_context(pair_of(engine))
        _publish(stack, pair)
        tandem = root_of(pair.discover.id)
        roots = dict.fromkeys(TWIN_OFFSETS, tandem)
        roots |= _start_peers(stack, folder, pair.address, engine)

        running = Field(pair.address, roots, far)
        for side in Side:
            for route in ROUTES:
                answers = partial(_answers, running, side, route)
                wait_for(answers, ANSWERS_S, f"{side}, {route.name}")
            group.take(running.pids(side))
        yield running


def _start_instances(stack: contextlib.ExitStack, folder: Path, far: FarHost) -> None:
    """Start the instance here and on the far host."""
    home = folder / "instance"
    home.mkdir()
    (home / LARGE.removeprefix("/")).write_bytes(b"x" * LARGE_BYTES)
    home.chmod(0o755)

    prefixes: dict[str, Sequence[str]] = {"near": (), "far": far.namespace.command()}
    for name, prefix in prefixes.items():
        config = home / f"{name}.conf"
        config.write_text(configs.instance(str(home)).replace("nginx.pid", f"{name}.pid"))
        _start(stack, home / f"{name}.log", *prefix, "nginx", "-c", str(config))


def _start_peers(
    stack: contextlib.ExitStack,
    folder: Path,
    address: str,
    engine: Engine,
) -> dict[Side, int]:
    """Start the proxies that are no Tandem, and return the process of each."""
    home = folder / "peers"
    home.mkdir()
    threads = len(os.sched_getaffinity(0))

    nginx = home / "nginx.conf"
    nginx.write_text(configs.nginx(str(home), address, threads, _listeners(Side.NGINX)))
    caddy = home / "Caddyfile"
    caddy.write_text(configs.caddy(address, _listeners(Side.CADDY)))

    by_hand = configs.haproxy(address, _listeners(Side.HAPROXY))
    haproxy = ContainerFactory(engine).haproxy_on_host(by_hand)
    haproxy.start()
    return {
        Side.HAPROXY: root_of(haproxy.id),
        Side.NGINX: start_nginx(stack, nginx),
        Side.CADDY: start_caddy(stack, caddy),
    }


def _listeners(side: Side) -> list[configs.Listener]:
    """Return what a peer offers; nginx cannot speak h2c to the instance."""
    listeners = []
    for route in ROUTES:
        port = INSTANCE_PORT if side is Side.NGINX else route.port
        instance = f"{route.host}:{port}"
        listeners.append(configs.Listener(route.name, route.port_at(side), instance, route.h2c))
    return listeners


def start_nginx(stack: contextlib.ExitStack, config: Path) -> int:
    """Start nginx until the end of the stack; return its process."""
    return _start(stack, config.with_suffix(".log"), "nginx", "-c", str(config))


def start_caddy(stack: contextlib.ExitStack, config: Path) -> int:
    """Start Caddy until the end of the stack; return its process."""
    return _start(
        stack,
        config.with_suffix(".log"),
        str(Path(sys.executable).parent / "caddy"),
        "run",
        f"--config={config}",
        "--adapter=caddyfile",
    )


def _start(stack: contextlib.ExitStack, log: Path, *command: str) -> int:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process.pid


def _publish(stack: contextlib.ExitStack, pair: Pair) -> None:
    """Put the instance into etcd, as a registrar of another host would."""
    records = Records(pair.address)
    stack.callback(records.close)
    instances = [_instance(side, route) for side in TWIN_OFFSETS for route in ROUTES]
    records.put(*instances)


def _instance(side: Side, route: Route) -> Instance:
    """Return the record that makes a route of a side of Tandem."""
    mode = "tcp" if side is Side.TCP else "http"
    service_port = route.port_at(side)
    return record(
        number=service_port,
        service=f"{side.name.lower()}-{route.name}",
        address=route.host,
        port=route.port + TWIN_OFFSETS[side],
        service_port=service_port,
        mode=mode,
        proto="h2c" if route.h2c and mode == "http" else "h1",
        reuse="always" if side is Side.ALWAYS else None,
    )


def root_of(container: str) -> int:
    """Return the first process of a container, as this machine numbers it."""
    return int(docker("inspect", "-f", "{{.State.Pid}}", container))


def _answers(running: Field, side: Side, route: Route) -> bool:
    """Whether a side answers; curl speaks h2c too."""
    url = running.url(side, route, "/")
    words = ["--http2-prior-knowledge"] if route.h2c else []
    done = subprocess.run(["curl", "-sf", *words, url], capture_output=True, timeout=5, check=False)
    return done.stdout.startswith(b"hello")
