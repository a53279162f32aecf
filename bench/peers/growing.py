"""Run Tandem and the peers with many services each, and tell them of one more after the other."""

import contextlib
import http.client
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.peers import configs
from bench.peers.configs import Listener
from bench.peers.one_group import one_group
from bench.peers.running import root_of, start_caddy, start_nginx
from bench.rig.containers import HAPROXY_FILE, ContainerFactory
from bench.rig.pair import pair_of
from bench.rig.prober import call
from bench.rig.programs import STRONG
from bench.rig.records import Records, record
from catalog.records.record import Instance
from lab.proc import with_descendants
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

FIRST_SERVICES = 20
ANSWER = "new"  # the first word of every reply
INSTANCE_PORT = 18_998
CADDY_ADMIN = "127.0.0.1:18997"
ANSWERS_S = 30.0
# Where the services of each side begin.
TANDEM, HAPROXY, NGINX, CADDY = 22_000, 22_500, 23_000, 23_500


@dataclass(slots=True)
class Side:
    """A proxy and its services; `tell` lets it know of all of them, the last of which is new."""

    name: str
    address: str
    first_port: int
    tell: Callable[[Sequence[Listener]], None]
    listeners: list[Listener] = field(default_factory=list)

    @property
    def next_port(self) -> int:
        return self.first_port + len(self.listeners)

    def add(self) -> None:
        """Offer one more service."""
        self.listeners.append(_listener(self.first_port, len(self.listeners)))
        self.tell(self.listeners)

    def answers(self) -> bool:
        """Whether the first services answer, all of them."""
        ports = [listener.port for listener in self.listeners]
        return all(is_reply(call(self.address, port)) for port in ports)


def is_reply(words: Sequence[str]) -> bool:
    """Whether an instance replied, and not a proxy that knows of none."""
    return words[0] == ANSWER


@contextlib.contextmanager
def growing(folder: Path) -> Iterator[Sequence[Side]]:
    """Run them with their first services; all of it is removed afterwards."""
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(one_group())
        engine = stack.enter_context(Engine())
        pair = stack.enter_context(pair_of(engine))
        containers = ContainerFactory(engine)

        # One program for all instances: each has a loopback address of its own.
        instances = STRONG.format(port=f"{INSTANCE_PORT} interface lo", service=ANSWER)
        servers = _run_haproxy(containers, instances)
        by_hand = _run_haproxy(containers, configs.haproxy(pair.address, _first(HAPROXY)))
        sides = (
            _tandem(stack, pair),
            _haproxy(pair.address, by_hand),
            _nginx(stack, pair.address, folder),
            _caddy(stack, pair.address, folder),
        )
        for side in sides:
            side.listeners += _first(side.first_port)
            wait_for(side.answers, ANSWERS_S, f"all services of {side.name} answer")

        # The others are in it already: this program has started them.
        roots = {root_of(pair.discover.id), root_of(pair.etcd.id), servers, by_hand}
        group.take(with_descendants(roots))
        yield sides


def _run_haproxy(containers: ContainerFactory, config: str) -> int:
    """Start a HAProxy of the image; return its process."""
    container = containers.haproxy_on_host(config)
    container.start()
    return root_of(container.id)


def _first(first_port: int) -> list[Listener]:
    """Return the services that a side has from the beginning."""
    return [_listener(first_port, number) for number in range(FIRST_SERVICES)]


def _listener(first_port: int, number: int) -> Listener:
    """Return a service of a side; no two have the same instance."""
    port = first_port + number
    return Listener(f"service-{port}", port, f"{_instance_address(port)}:{INSTANCE_PORT}")


def _instance_address(port: int) -> str:
    return f"127.104.{port // 250}.{port % 250 + 1}"


def _tandem(stack: contextlib.ExitStack, pair: Pair) -> Side:
    """Tandem is told by a record in etcd, as a registrar of another host writes it."""
    records = Records(pair.address)
    stack.callback(records.close)
    records.put(*map(_record, _first(TANDEM)))

    def tell(listeners: Sequence[Listener]) -> None:
        records.put(_record(listeners[-1]))

    return Side("Tandem", pair.address, TANDEM, tell)


def _record(listener: Listener) -> Instance:
    return record(
        number=listener.port,
        service=listener.name,
        address=_instance_address(listener.port),
        port=INSTANCE_PORT,
        service_port=listener.port,
        mode="http",
    )


def _haproxy(address: str, master: int) -> Side:
    """HAProxy is told by its file, inside its container, and a signal."""
    file = Path("/proc", str(master), "root", HAPROXY_FILE)

    def tell(listeners: Sequence[Listener]) -> None:
        file.write_text(configs.haproxy(address, listeners))
        os.kill(master, signal.SIGUSR2)

    return Side("HAProxy by hand", address, HAPROXY, tell)


def _nginx(stack: contextlib.ExitStack, address: str, folder: Path) -> Side:
    """It is told by its file and a signal, too."""
    file = folder / "nginx.conf"
    threads = len(os.sched_getaffinity(0))
    config = partial(configs.nginx, str(folder), address, threads)
    file.write_text(config(_first(NGINX)))
    master = start_nginx(stack, file)

    def tell(listeners: Sequence[Listener]) -> None:
        file.write_text(config(listeners))
        os.kill(master, signal.SIGHUP)

    return Side("nginx", address, NGINX, tell)


def _caddy(stack: contextlib.ExitStack, address: str, folder: Path) -> Side:
    """Caddy is told by a request to its admin API."""
    file = folder / "Caddyfile"
    file.write_text(configs.caddy(address, _first(CADDY), CADDY_ADMIN))
    start_caddy(stack, file)

    def tell(listeners: Sequence[Listener]) -> None:
        _load(configs.caddy(address, listeners, CADDY_ADMIN))

    return Side("Caddy", address, CADDY, tell)


def _load(caddyfile: str) -> None:
    """Have Caddy take a whole configuration over."""
    connection = http.client.HTTPConnection(CADDY_ADMIN, timeout=ANSWERS_S)
    with contextlib.closing(connection):
        connection.request("POST", "/load", caddyfile, {"Content-Type": "text/caddyfile"})
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, f"Caddy refuses its configuration: {text}"
