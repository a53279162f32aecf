"""From a stub to a real instance and back, under a client on one connection: what it lost, and how long each took."""

import contextlib
import re
import select
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType

from bench.engine_api import Stamps
from bench.measure import Figure, at_most, percentile, say, spread
from bench.sides import of_tandem
from bench.world import Made, Maker, metric, pair_of
from tests.parts.engine import LABEL, Engine, Pair
from tests.parts.wait import wait_for

RATIO = 1.5  # of an ordinary start in the same run: issue 5
PORTS = {"http": (9700, 9701), "tcp": (9702, 9703)}
STUB = "stub"
SILENCE_S = 5.0
PAUSE_S = 0.0005  # half of it is the error of a measured moment
SETTLE_S = 0.2  # between two changes: an instance that comes and goes in the same breath is another subject
REQUEST = b"GET / HTTP/1.1\r\nHost: switches\r\n\r\n"


class Client:
    """Calls without pause on one connection, and keeps who answered first when.

    Where the server ends a connection that was used before, it makes a new one and the call once more; all else is a
    failure. `cut` are the calls that were on their way then, `connections` all that were made.
    """

    def __init__(self, address: str, port: int) -> None:
        self.done = self.connections = self.cut = 0
        self.failed: list[str] = []
        self.turns: list[
            tuple[str, int]
        ] = []  # who answered, and since when, each time it was another
        self.first_ns: dict[str, int] = {}
        self.place = (address, port)
        self._socket: socket.socket | None = None
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="client")

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._drop()

    def wait_answered_by(self, who: str, within_s: float = 20.0) -> int:
        """Return since when it is this one that answers; `stub`, or a container's short id."""
        with self._news:
            if not self._news.wait_for(
                lambda: bool(self.turns) and self.turns[-1][0] == who, within_s
            ):
                raise TimeoutError(
                    f"{self.place}: not answered by {who}; {self.turns[-3:]}, {self.failed[:3]}"
                )
            return self.turns[-1][1]

    def wait_seen(self, who: str, within_s: float = 20.0) -> int:
        """Return when it answered for the first time."""
        with self._news:
            if not self._news.wait_for(lambda: who in self.first_ns, within_s):
                raise TimeoutError(
                    f"{self.place}: {who} has not answered; {self.turns[-3:]}, {self.failed[:3]}"
                )
            return self.first_ns[who]

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                who = self._call()
            except OSError as error:
                self.failed.append(f"{time.time_ns()}: {error!r}")
                self._drop()
                continue
            with self._news:
                self.done += 1
                self.first_ns.setdefault(who, time.time_ns())
                if not self.turns or self.turns[-1][0] != who:
                    self.turns.append((who, time.time_ns()))
                self._news.notify_all()

    def _call(self) -> str:
        """Return who answers."""
        if self._socket is not None and not _is_closed(self._socket):
            try:
                return self._exchange(self._socket)
            except (ConnectionResetError, BrokenPipeError, EOFError):
                self.cut += 1
        self._drop()
        self._socket = socket.create_connection(self.place, timeout=SILENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        try:
            return self._exchange(self._socket)
        except EOFError as error:
            raise ConnectionError("closed before the reply was whole") from error

    def _exchange(self, connection: socket.socket) -> str:
        connection.sendall(REQUEST)
        had = head = body = b""
        while not head or len(body) < int(_value(head, b"content-length") or 0):
            if not (more := connection.recv(65536)):
                raise EOFError
            had += more
            head, _, body = had.partition(b"\r\n\r\n") if b"\r\n\r\n" in had else (b"", b"", b"")
        if b" 200 " not in head[:13]:
            raise ConnectionError(f"status {head[9:12].decode()}")
        if _value(head, b"connection") == "close":
            self._drop()
        return STUB if _value(head, b"x-stub") else body.decode().split()[1]

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _is_closed(connection: socket.socket) -> bool:
    return bool(
        select.select([connection], [], [], 0)[0]
    )  # nothing is owed: what there is to read is the end


def _value(head: bytes, name: bytes) -> str:
    """Return the value of a header in lower case; empty without it."""
    found = re.search(rb"\r\n" + name + rb": *([^\r]*)", head, re.IGNORECASE)
    return found[1].decode().lower() if found else ""


@dataclass(slots=True)
class Service:
    """One service with a stub, its client, and how long each switch took, in milliseconds."""

    mode: str
    client: Client
    maker: Maker
    stamps: Stamps
    port: int
    labels: dict[str, str]
    taken_over: list[float] = field(default_factory=list)
    given_back: list[float] = field(default_factory=list)

    def switch(self, signal: str = "SIGTERM") -> None:
        """Start a real instance, and end it: the stub answers before and after, the real one between."""
        made = self._start()
        began_ns = self.client.wait_answered_by(made.short)
        self.taken_over.append((began_ns - self.stamps.of("start", made.id)) / 1e6)
        time.sleep(SETTLE_S)
        made.api.call("POST", f"/containers/{made.id}/kill?signal={signal}")
        back_ns = self.client.wait_answered_by(STUB)
        self.given_back.append((back_ns - self.stamps.of("kill", made.id)) / 1e6)
        made.remove()
        time.sleep(SETTLE_S)

    def ordinary(self) -> float:
        """Start one beside another of its kind, remove it, and return from its start to its first reply."""
        with Client(*self.client.place) as client:
            made = self._start()
            took_ms = (client.wait_seen(made.short) - self.stamps.of("start", made.id)) / 1e6
        made.remove()
        time.sleep(SETTLE_S)
        return took_ms

    def _start(self) -> Made:
        made = self.maker.quick(self.labels["SERVICE_NAME"], 8000, **self.labels)
        made.start()
        return made


@dataclass(slots=True)
class World:
    """A pair, and for each mode a service with a stub, under its client, and one without."""

    pair: Pair
    stubbed: dict[str, Service]
    ordinary: dict[str, Service]
    reloads: float  # before the clients came

    def more_reloads(self) -> int:
        """Return how many others on this engine have caused since: an http client is asked to reconnect by each."""
        return int(metric(self.pair, "tandem_discover_reloads_total") - self.reloads)


@contextlib.contextmanager
def world(modes: tuple[str, ...] = tuple(PORTS)) -> Iterator[World]:
    """Run it; everything is gone afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        folder.joinpath("index.txt").write_text("stub is what this is\n")
        engine = stack.enter_context(Engine())
        pair = stack.enter_context(pair_of(engine))
        stamps = stack.enter_context(Stamps(f"{LABEL}={engine.session}"))
        kinds: tuple[dict[str, Service], dict[str, Service]] = ({}, {})
        for mode in modes:
            for some, port in zip(kinds, PORTS[mode], strict=True):
                maker = Maker(engine)
                stack.callback(maker.api.close)
                labels = of_tandem(f"switch-{port}", port) | {"SERVICE_MODE": mode}
                some[mode] = Service(mode, Client(pair.address, port), maker, stamps, port, labels)
            maker.stub(
                kinds[0][mode].labels["SERVICE_NAME"], folder, **kinds[0][mode].labels
            ).start()
            maker.quick(
                kinds[1][mode].labels["SERVICE_NAME"], 8000, **kinds[1][mode].labels
            ).start()
        everyone = (*kinds[0].values(), *kinds[1].values())
        # All listen before any client connects: a reload is another subject.
        for service in everyone:
            get = partial(pair.get, service.port)
            wait_for(lambda get=get: get().status == 200, 20, f"{service.port} answers")  # type: ignore[misc]
        for service in kinds[0].values():
            stack.enter_context(service.client)
        yield World(pair, *kinds, metric(pair, "tandem_discover_reloads_total"))


def run(count: int = 50) -> list[Figure]:
    """Switch so often in each mode, in turn with as many ordinary starts of a service that has no stub."""
    with world() as it:
        starts: dict[str, list[float]] = {mode: [] for mode in PORTS}
        for number in range(count):
            for mode in PORTS:
                it.stubbed[mode].switch()
                starts[mode].append(it.ordinary[mode].ordinary())
            if number % 10 == 9:
                say(
                    f"{number + 1} of {count} switches: {[len(s.client.failed) for s in it.stubbed.values()]} lost"
                )
        reloads = it.more_reloads()
    return [
        figure for mode in PORTS for figure in _figures(it.stubbed[mode], starts[mode], reloads)
    ]


def _figures(service: Service, starts: list[float], reloads: int) -> list[Figure]:
    mode, client, times = service.mode, service.client, len(service.taken_over)
    for line in client.failed[:10]:
        say(f"  {mode}: {line}")
    figures = [
        at_most(f"{mode}: calls lost of {client.done:,}", len(client.failed), "", 0),
        at_most(
            f"{mode}: changes of who answers, {times} times there and back",
            len(client.turns) - 1,
            "",
            2 * times,
        ),
    ]
    if mode == "http":
        wanted = f"1, and one for each reload that others caused: {reloads}"
        figures.append(
            at_most("http: connections of the client", client.connections, "", 1 + reloads, wanted)
        )
    else:
        figures.append(
            at_most("tcp: calls that a switch cut, made once more", client.cut, "", 2 * times)
        )
    figures += spread(f"{mode}: an ordinary start, event to first reply", starts)
    for what, some in (("stub → real", service.taken_over), ("real → stub", service.given_back)):
        figures += spread(f"{mode}: {what}, event to first reply", some)
        for name, percent in (("p50", 50), ("p90", 90), ("longest", 100)):
            ratio = percentile(some, percent) / percentile(starts, percent)
            figures.append(at_most(f"{mode}: {what} ÷ ordinary start, {name}", ratio, "×", RATIO))
    return figures
