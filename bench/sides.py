"""Tandem and the bare loop beside each other: the same engine, etcd, containers, HAProxy program and prober."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.bare import BACKEND, CONFIG
from bench.engine_api import Stamps
from bench.world import Made, Maker, gateway, pair_of
from tests.parts.engine import LABEL, Engine, Pair
from tests.parts.haproxy import RealHAProxy
from tests.parts.wait import wait_for

SERVICE, PORT = "bench", 9100
BARE_PORT = 9200
PAUSE_S = 0.0005  # between two calls of the prober: half of it is the error of a measured moment
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two; `make` creates a container that is its, `port` is where its HAProxy listens."""

    name: str
    address: str
    port: int
    make: Callable[[], Made]


@dataclass(frozen=True, slots=True)
class Arena:
    """Both sides, running, each with one container that stays, so that a start is a server and no new listener."""

    sides: tuple[Side, ...]
    stamps: Stamps
    pair: Pair
    maker: Maker


@contextlib.contextmanager
def arena() -> Iterator[Arena]:
    """Run both sides; everything is gone afterwards."""
    with Engine() as engine, pair_of(engine) as pair, Stamps(f"{LABEL}={engine.session}") as stamps:
        maker = Maker(engine)
        label = f"bench.bare={engine.session}"
        tandem = Side(
            "Tandem",
            pair.address,
            PORT,
            lambda: maker.quick(SERVICE, 8000, **of_tandem(SERVICE, PORT)),
        )
        bare = Side(
            "bare loop",
            pair.address,
            BARE_PORT,
            lambda: maker.quick(SERVICE, 8000, **{"bench.bare": engine.session}),
        )
        tandem.make().start()
        first = maker.quick(SERVICE, 8000)
        first.start()
        with bare_loop(pair, label, f"{gateway()}:{first.host_port()}"):
            for side in (tandem, bare):
                wait_for(partial(call, side.address, side.port), 20, f"{side.name} answers")
            yield Arena((tandem, bare), stamps, pair, maker)


def of_tandem(service: str, port: int) -> dict[str, str]:
    """Return the labels that make a container an instance."""
    return {"SERVICE_NAME": service, "SERVICE_PORT": str(port)}


@contextlib.contextmanager
def bare_loop(pair: Pair, label: str, first: str) -> Iterator[None]:
    """Run the bare loop with a HAProxy of its own, the same program as in the image."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        haproxy = RealHAProxy(folder, "image")
        script = Path(haproxy.binary)  # what it says of each server belongs in no table
        script.write_text(script.read_text().rstrip() + " >/dev/null 2>&1\n")
        bind = f"{pair.address}:{BARE_PORT}"
        haproxy.start(CONFIG.format(admin=haproxy.admin, backend=BACKEND, bind=bind, first=first))
        words = [f"{pair.address}:2379", str(haproxy.admin), label, gateway()]
        command = [sys.executable, "-m", "bench.bare", *words]
        try:
            with (
                (folder / "bare.log").open("wb") as log,
                subprocess.Popen(command, stdout=log, stderr=log) as process,
            ):
                try:
                    wait_for(
                        lambda: "ready" in (folder / "bare.log").read_text(),
                        10,
                        "the bare loop runs",
                    )
                    yield
                finally:
                    process.terminate()
        finally:
            haproxy.end()


def call(address: str, port: int, timeout_s: float = 2.0) -> list[str]:
    """Make one request on a new connection; return the words of the reply's body: who answered. Raises OSError."""
    with socket.create_connection((address, port), timeout=timeout_s) as connection:
        connection.sendall(REQUEST)
        reply = b"".join(iter(lambda: connection.recv(4096), b""))
    body = reply.partition(b"\r\n\r\n")[2]
    if not body:
        raise ConnectionError(f"no reply from {address}:{port}: {reply!r:.80}")
    return body.decode().split()


class Prober:
    """Calls a side without pause and keeps when a container answered first and last, by this machine's clock."""

    def __init__(self, side: Side, container: str) -> None:
        self.first_ns = self.last_ns = 0
        self.listening_ns = 0
        self.lost: list[str] = []
        self._side = side
        self._container = container
        self._seen = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prober")

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_seen(self, within_s: float = 15.0) -> None:
        """Return when the container has answered."""
        if not self._seen.wait(within_s):
            raise TimeoutError(
                f"{self._side.name}: {self._container} did not answer within {within_s} s"
            )

    def wait_unseen(self, quiet_s: float = 0.2, within_s: float = 10.0) -> None:
        """Return when the container has not answered for a while."""
        deadline = time.monotonic() + within_s
        while time.time_ns() - self.last_ns < quiet_s * 1e9 and time.monotonic() < deadline:
            time.sleep(0.01)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                words = call(self._side.address, self._side.port)
            except OSError as error:
                self.lost.append(repr(error))
                continue
            if words[1] == self._container:
                self.last_ns = time.time_ns()
                if not self._seen.is_set():
                    self.first_ns, self.listening_ns = self.last_ns, int(words[2])
                    self._seen.set()
