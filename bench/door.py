"""A thousand http services on one port: what a call takes beside one service alone, and how long one more takes."""

import contextlib
import http.client
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench.measure import Figure, at_most, percentile, say, spread
from bench.program import STRONG
from bench.world import HOST, PREFIX, record
from catalog.entries import Put
from catalog.keys import identity, key_of
from catalog.record import Instance, encode
from catalog.store import CHANGES_MAX, Store
from tests.parts.door import Door
from tests.parts.etcd import Etcd
from tests.parts.haproxy import running
from tests.parts.ports import free_port
from tests.parts.wait import wait_for

BATCH = 100  # calls to one and then to the other: what the machine does besides troubles both
DOMAIN = "apps.test"


def run(services: int = 1000, calls: int = 20_000, more: int = 30) -> list[Figure]:
    """Call one service of so many as often as one alone, in turn, and add so many one by one."""
    with _doors(1) as alone, _doors(services) as many:
        clients = {alone: Client(alone.door.door), many: Client(many.door.door)}
        took_us: dict[World, list[list[float]]] = {alone: [], many: []}
        for number in range(2 * calls // BATCH):
            world = (alone, many)[number % 2]
            took = [clients[world].call(random.randrange(world.services)) for _ in range(BATCH)]
            took_us[world].append(took)
        reloads = many.door.reloads()
        added_ms = [many.add(services + number, clients[many]) for number in range(more)]
        made = many.door.reloads() - reloads
        for client in clients.values():
            client.close()
    one, all_ = ([percentile(batch, 50) for batch in took_us[world]] for world in (alone, many))
    ratio = percentile([b / a for a, b in zip(one, all_, strict=True)], 50)
    return [
        Figure("a call to one service alone, p50", percentile(one, 50) / 1000, "ms"),
        Figure(f"a call to any of {services:,}, p50", percentile(all_, 50) / 1000, "ms"),
        Figure(
            f"a call to any of {services:,}, p99",
            percentile(list(chain(*took_us[many])), 99) / 1000,
            "ms",
        ),
        at_most(
            f"any of {services:,} to one alone, p50 of {BATCH} calls each in turn", ratio, "×", 1.1
        ),
        *spread(f"from the record of one more than {services:,} to its first reply", added_ms)[:2],
        at_most(f"reloads for {more} more", made, "", 0),
    ]


class Client:
    """Makes one call after the other on one connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def call(self, service: int) -> float:
        """Call a service, and return the microseconds it took."""
        if self._connection.sock is None:
            self._connection.connect()
            it: socket.socket | None = self._connection.sock
            assert it is not None
            it.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        self._connection.request("GET", "/", headers={"Host": f"s{service}.{DOMAIN}"})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"s{service}: {answer.status}")
        return (time.perf_counter() - began) * 1e6

    def answers(self, service: int) -> bool:
        """Whether a service is known by now."""
        with contextlib.suppress(AssertionError):
            return self.call(service) > 0
        return False

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, eq=False)
class World:
    """A docker-discover with its etcd and HAProxy, services that are all on one port, and one server behind them."""

    door: Door
    store: Store
    server: int
    port: int
    services: int

    def put(self, numbers: range) -> None:
        """Publish services, each at an address of its own."""
        puts = [
            Put(key_of(PREFIX, identity(HOST, one)), encode(one), 0)
            for one in map(self._record, numbers)
        ]
        for begin in range(0, len(puts), CHANGES_MAX):
            self.store.write(puts[begin : begin + CHANGES_MAX], lease=0)

    def add(self, number: int, client: Client) -> float:
        """Publish one more, and return the milliseconds until it answered."""
        began = time.monotonic()
        self.put(range(number, number + 1))
        while not client.answers(number):
            time.sleep(0.001)
            if time.monotonic() > began + 10:
                raise TimeoutError(f"s{number} does not answer")
        return (time.monotonic() - began) * 1000

    def _record(self, number: int) -> Instance:
        address = f"127.2.{number // 250}.{number % 250 + 1}"
        return record(number + 1, f"s{number}", address, self.server, self.port, mode="http")


@contextlib.contextmanager
def _doors(services: int) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-door-")))
        for name in ("server", "etcd", "discover"):
            (folder / name).mkdir()
        server, port = free_port(), free_port()
        stack.enter_context(running(folder / "server", "machine")).start(
            STRONG.format(port=server, service="strong")
        )
        etcd = stack.enter_context(Etcd(folder / "etcd"))
        store = Store(etcd.access)
        stack.callback(store.close)
        folder.chmod(0o755)
        door = Door(folder / "discover", etcd)
        stack.callback(door.end)
        world = World(door, store, server, port, services)
        world.put(range(services))
        door.start()
        door.wait_ready(120)
        client = Client(door.door)
        wait_for(
            lambda: all(map(client.answers, range(services))), 120, f"{services} services answer"
        )
        client.close()
        say(f"{services} services on one door, {door.reloads()} reloads")
        yield world
