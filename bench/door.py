"""A thousand http services on one port: a call compared to a lone service, and adding one more."""

import contextlib
import http.client
import random
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from bench.report.figures import Figure, at_most, median, percentile, say, spread
from bench.rig.programs import STRONG
from bench.rig.records import chunks, record, record_key
from catalog.entries import Put
from catalog.records.record import Instance, encode
from catalog.store import Store
from tests.parts.door import Door
from tests.parts.etcd import Etcd
from tests.parts.haproxy import running
from tests.parts.ports import free_port
from tests.parts.wait import wait_for

BATCH = 100  # calls to one side and then to the other: so other load on the machine meets both
DOMAIN = "apps.test"
RATIO = 1.1


def run(services: int = 1000, calls: int = 20_000, more: int = 30) -> list[Figure]:
    """Call any of many services as often as a lone one, in turn; then add some one by one."""
    with _served(1) as alone, _served(services) as many:
        for _ in range(calls // BATCH):
            alone.call_batch()
            many.call_batch()

        reloads_before = many.door.reloads()
        added_ms = [many.add(services + number) for number in range(more)]
        reloads = many.door.reloads() - reloads_before

    return [*_call_figures(alone, many), *_added_figures(services, added_ms, reloads)]


class Client:
    """Makes one call after the other on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def call(self, service: int) -> float:
        """Call a service, and return the microseconds it took."""
        self._connect()
        began = time.perf_counter()
        self._connection.request("GET", "/", headers={"Host": f"s{service}.{DOMAIN}"})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"s{service}: {answer.status}")

        return (time.perf_counter() - began) * 1e6

    def _connect(self) -> None:
        if self._connection.sock is not None:
            return

        self._connection.connect()
        connected: socket.socket | None = self._connection.sock
        assert connected is not None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answers(self, service: int) -> bool:
        """Whether a service is known by now."""
        try:
            self.call(service)
        except AssertionError:
            return False

        return True

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Served:
    """So many services on one port, with a docker-discover, an etcd and one server for all."""

    services: int
    door: Door
    store: Store
    client: Client
    server_port: int
    service_port: int
    batches_us: list[list[float]] = field(default_factory=list)

    def call_batch(self) -> None:
        """Call services at random, and keep how long each call took."""
        services = random.choices(range(self.services), k=BATCH)
        self.batches_us.append([self.client.call(service) for service in services])

    def put(self, numbers: Sequence[int]) -> None:
        """Publish services, each at an address of its own."""
        instances = [self._record(number) for number in numbers]
        puts = [Put(record_key(instance), encode(instance), 0) for instance in instances]
        for transaction in chunks(puts):
            self.store.write(transaction, lease=0)

    def add(self, number: int) -> float:
        """Publish one more, and return the milliseconds until it answered."""
        began = time.monotonic()
        self.put([number])
        while not self.client.answers(number):
            time.sleep(0.001)
            if time.monotonic() > began + 10:
                raise TimeoutError(f"s{number} does not answer")

        return (time.monotonic() - began) * 1000

    def all_answer(self) -> bool:
        return all(self.client.answers(service) for service in range(self.services))

    def _record(self, number: int) -> Instance:
        return record(
            number=number + 1,
            service=f"s{number}",
            address=f"127.2.{number // 250}.{number % 250 + 1}",
            port=self.server_port,
            service_port=self.service_port,
            mode="http",
        )


@contextlib.contextmanager
def _served(services: int) -> Iterator[Served]:
    """Run it; all of it is removed afterwards."""
    with contextlib.ExitStack() as stack:
        folder = _folder(stack)
        server_port = free_port()
        service_port = free_port()
        server = stack.enter_context(running(folder / "server", "machine"))
        server.start(STRONG.format(port=server_port, service="strong"))

        etcd = stack.enter_context(Etcd(folder / "etcd"))
        store = Store(etcd.access)
        stack.callback(store.close)
        door = Door(folder / "discover", etcd)
        stack.callback(door.end)
        client = Client(door.door)
        stack.callback(client.close)
        served = Served(services, door, store, client, server_port, service_port)

        served.put(range(services))
        door.start()
        door.wait_ready(120)
        wait_for(served.all_answer, 120, f"{services} services answer")
        client.close()  # HAProxy would close the connection while nothing is called
        say(f"{services} services on one door, {door.reloads()} reloads")
        yield served


def _folder(stack: contextlib.ExitStack) -> Path:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-door-")))
    folder.chmod(0o755)  # HAProxy gives up root and still has to reach its sockets
    for name in ("server", "etcd", "discover"):
        (folder / name).mkdir()
    return folder


def _call_figures(alone: Served, many: Served) -> list[Figure]:
    alone_us = [median(batch) for batch in alone.batches_us]
    many_us = [median(batch) for batch in many.batches_us]
    all_calls_us = list(chain(*many.batches_us))
    ratios = [b / a for a, b in zip(alone_us, many_us, strict=True)]

    any_service = f"any of {many.services:,}"
    compared = f"{any_service} to one alone, p50 of {BATCH} calls each in turn"
    return [
        Figure("a call to one service alone, p50", median(alone_us) / 1000, "ms"),
        Figure(f"a call to {any_service}, p50", median(many_us) / 1000, "ms"),
        Figure(f"a call to {any_service}, p99", percentile(all_calls_us, 99) / 1000, "ms"),
        at_most(compared, median(ratios), "×", RATIO),
    ]


def _added_figures(services: int, added_ms: Sequence[float], reloads: float) -> list[Figure]:
    name = f"from the record of one more than {services:,} to its first reply"
    return [
        *spread(name, added_ms, (50, 90)),
        at_most(f"reloads for {len(added_ms)} more", reloads, "", 0),
    ]
