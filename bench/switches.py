"""From a stub to a real instance and back, under a client on one connection: losses and times."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.report.figures import Figure, at_most, percentile, say, spread
from bench.rig.containers import ApiContainer, ContainerFactory, labels_of
from bench.rig.engine_api import Stamps
from bench.rig.pair import RELOADS, metric, pair_of
from bench.rig.steady_client import STUB, SteadyClient
from tests.parts.engine import LABEL, Engine, Pair
from tests.parts.wait import wait_for

RATIO = 1.5  # of an ordinary start in the same run: issue 5
PERCENTS = {"p50": 50, "p90": 90, "longest": 100}
SETTLE_S = 0.2  # between two changes: an instance that is gone at once is another subject


@dataclass(frozen=True, slots=True)
class Ports:
    """The service ports of one mode."""

    stubbed: int
    ordinary: int


PORTS = {"http": Ports(9700, 9701), "tcp": Ports(9702, 9703)}


@dataclass(slots=True)
class Service:
    """One service and its client, and how long each switch took, in milliseconds."""

    mode: str
    port: int
    client: SteadyClient
    containers: ContainerFactory
    stamps: Stamps
    taken_over: list[float] = field(default_factory=list)
    given_back: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"switch-{self.port}"

    @property
    def labels(self) -> dict[str, str]:
        return {**labels_of(self.name, self.port), "SERVICE_MODE": self.mode}

    def switch(self, signal: str = "SIGTERM") -> None:
        """Start a real instance, and end it: the stub answers before and after, not between."""
        real = self.start()
        answered_ns = self.client.wait_answered_by(real.short)
        started_ns = self.stamps.of("start", real.id)
        self.taken_over.append((answered_ns - started_ns) / 1e6)
        time.sleep(SETTLE_S)

        real.kill(signal)
        answered_ns = self.client.wait_answered_by(STUB)
        killed_ns = self.stamps.of("kill", real.id)
        self.given_back.append((answered_ns - killed_ns) / 1e6)
        real.remove()
        time.sleep(SETTLE_S)

    def ordinary_start(self) -> float:
        """Start an instance beside another, remove it; return the ms to its first reply."""
        with SteadyClient(*self.client.place) as client:
            container = self.start()
            answered_ns = client.wait_seen(container.short)
            started_ns = self.stamps.of("start", container.id)

        container.remove()
        time.sleep(SETTLE_S)
        return (answered_ns - started_ns) / 1e6

    def start(self) -> ApiContainer:
        """Start a real instance."""
        container = self.containers.quick(self.name, 8000, **self.labels)
        container.start()
        return container

    def start_stub(self, answers: Path) -> None:
        self.containers.stub(answers, **self.labels).start()


@dataclass(slots=True)
class StubbedPair:
    """A pair, and for each mode a service with a stub, under its client, and one without."""

    pair: Pair
    stubbed: dict[str, Service]
    ordinary: dict[str, Service]
    reloads: float  # before the clients came

    def more_reloads(self) -> int:
        """Return how many reloads others on this engine have caused since.

        Each of them asks an http client to reconnect.
        """
        return int(metric(self.pair, RELOADS) - self.reloads)


@contextlib.contextmanager
def stubbed_pair() -> Iterator[StubbedPair]:
    """Run it; all of it is removed afterwards."""
    with contextlib.ExitStack() as stack:
        answers = _answers(stack)
        engine = stack.enter_context(Engine())
        pair = stack.enter_context(pair_of(engine))
        stamps = stack.enter_context(Stamps(f"{LABEL}={engine.session}"))

        def service(mode: str, port: int) -> Service:
            containers = ContainerFactory(engine)
            stack.callback(containers.api.close)
            client = SteadyClient(pair.address, port)
            return Service(mode, port, client, containers, stamps)

        stubbed = {mode: service(mode, ports.stubbed) for mode, ports in PORTS.items()}
        ordinary = {mode: service(mode, ports.ordinary) for mode, ports in PORTS.items()}
        for mode in PORTS:
            stubbed[mode].start_stub(answers)
            ordinary[mode].start()

        # All listen before any client connects: a reload is another subject.
        for each_service in (*stubbed.values(), *ordinary.values()):
            answers_ok = partial(_answers_ok, pair, each_service.port)
            wait_for(answers_ok, 20, f"{each_service.port} answers")

        for with_stub in stubbed.values():
            stack.enter_context(with_stub.client)
        yield StubbedPair(pair, stubbed, ordinary, metric(pair, RELOADS))


def _answers(stack: contextlib.ExitStack) -> Path:
    """Return a folder with the stub's one answer."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    folder.chmod(0o755)  # the stub is not root
    folder.joinpath("index.txt").write_text("stub is what this is\n")
    return folder


def _answers_ok(pair: Pair, port: int) -> bool:
    return pair.get(port).status == 200


def run(count: int = 50) -> list[Figure]:
    """Switch so often in each mode, in turn with ordinary starts of a service without a stub."""
    with stubbed_pair() as services:
        starts_ms: dict[str, list[float]] = {mode: [] for mode in PORTS}
        for number in range(count):
            for mode in PORTS:
                services.stubbed[mode].switch()
                starts_ms[mode].append(services.ordinary[mode].ordinary_start())

            if number % 10 == 9:
                lost = [len(service.client.failed) for service in services.stubbed.values()]
                say(f"{number + 1} of {count} switches: {lost} lost")

        reloads = services.more_reloads()

    figures = []
    for mode, service in services.stubbed.items():
        figures += _client_figures(service, reloads)
        figures += _time_figures(service, starts_ms[mode])
    return figures


def _client_figures(service: Service, reloads: int) -> list[Figure]:
    mode = service.mode
    client = service.client
    times = len(service.taken_over)
    for line in client.failed[:10]:
        say(f"  {mode}: {line}")

    lost = f"{mode}: calls lost of {client.done:,}"
    changes = f"{mode}: changes of who answers, {times} times there and back"
    figures = [
        at_most(lost, len(client.failed), "", 0),
        at_most(changes, len(client.turns) - 1, "", 2 * times),
    ]
    if mode == "http":
        wanted = f"1, and one for each reload that others caused: {reloads}"
        name = "http: connections of the client"
        figures.append(at_most(name, client.connections, "", 1 + reloads, wanted))
    else:
        name = "tcp: calls that a switch cut, made once more"
        figures.append(at_most(name, client.cut, "", 2 * times))
    return figures


def _time_figures(service: Service, starts_ms: Sequence[float]) -> list[Figure]:
    mode = service.mode
    figures = spread(f"{mode}: an ordinary start, event to first reply", starts_ms)
    switches_ms = {"stub → real": service.taken_over, "real → stub": service.given_back}
    for what, took_ms in switches_ms.items():
        figures += spread(f"{mode}: {what}, event to first reply", took_ms)
        for name, percent in PERCENTS.items():
            ratio = percentile(took_ms, percent) / percentile(starts_ms, percent)
            figures.append(at_most(f"{mode}: {what} ÷ ordinary start, {name}", ratio, "×", RATIO))
    return figures
