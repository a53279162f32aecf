"""A pair under load: two services, tcp and http, whose servers never are the bottleneck."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bench.load import Load
from bench.report.figures import Figure, at_least
from bench.rig.containers import ContainerFactory, labels_of
from bench.rig.pair import pair_of
from bench.rig.prober import call
from tests.parts.engine import Container, Engine, Pair
from tests.parts.wait import wait_for

PORTS = {"tcp": 9600, "http": 9601}
REPLICAS = 2
CLIENTS = 3  # of each mode; a client makes at most 2,000 calls a second
WANTED_RATE = 2000  # new connections a second: issue 3


@dataclass(frozen=True, slots=True)
class Pressed:
    """The pair under load, and the load."""

    pair: Pair
    loads: tuple[Load, ...]

    def figures(self, what: str) -> list[Figure]:
        """End the load and return what became of all calls."""
        for load in self.loads:
            load.end()

        seconds = max(load.seconds for load in self.loads)
        rate = sum(load.done("close") for load in self.loads) / seconds
        slow = sum(load.slow() for load in self.loads)
        return [
            at_least(f"{what}: new connections a second", rate, "/s", WANTED_RATE),
            *[_lost(what, load) for load in self.loads],
            Figure(f"{what}: slower than 0.5 s", slow, ""),
        ]


def _lost(what: str, load: Load) -> Figure:
    lost = load.lost()
    _, _, mode = load.service.partition("-")
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(lost.items()))

    name = f"{what}, {mode}: lost of {load.done():,}"
    if lost:
        name += f" ({kinds})"
    return Figure(name, sum(lost.values()), "", wanted="0", good=not lost)


@contextlib.contextmanager
def pressed(rate: float, *, split: bool = False) -> Iterator[Pressed]:
    """Run the pair and both services under so many new connections a second in sum."""
    with Engine() as engine, pair_of(engine, split=split) as pair:
        containers = ContainerFactory(engine)
        for mode, port in PORTS.items():
            labels = labels_of(f"load-{mode}", port)
            for _ in range(REPLICAS):
                server = containers.strong(f"load-{mode}", 8000, SERVICE_MODE=mode, **labels)
                server.start()

        for port in PORTS.values():
            wait_for(partial(call, pair.address, port), 30, f"port {port} answers")

        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(load) for load in loads_of(pair, rate)]
            yield Pressed(pair, tuple(loads))


def loads_of(pair: Pair, rate: float) -> list[Load]:
    """Start the clients."""
    client_rate = rate / len(PORTS) / CLIENTS
    return [
        Load(pair.address, port, f"load-{mode}", close=CLIENTS, keep=1, rate=client_rate)
        for mode, port in PORTS.items()
    ]


def end_process(container: Container, word: str, number: signal.Signals) -> None:
    """Signal the process whose command line has the word; return when there is a new one."""
    old = container.pids(word)
    assert old, f"no {word} in {container.name}"
    for pid in old:
        os.kill(pid, number)

    wait_for(lambda: set(container.pids(word)) - set(old), 30, f"a new {word}")
