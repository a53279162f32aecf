"""A pair with two services, tcp and http, of servers that take any load, and clients that call them at a high rate."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from bench.load import Load
from bench.measure import Figure, at_least
from bench.sides import call, of_tandem
from bench.world import Maker, pair_of
from tests.parts.engine import Container, Engine, Pair
from tests.parts.wait import wait_for

PORTS = {"tcp": 9600, "http": 9601}
REPLICAS = 2
CLIENTS = 3  # a mode; a client makes 2,000 calls a second at best
WANTED_RATE = 2000  # new connections a second: issue 3


@dataclass(frozen=True, slots=True)
class Pressed:
    """The pair under load and what loads it."""

    pair: Pair
    loads: tuple[Load, ...]

    def figures(self, what: str) -> list[Figure]:
        """Return what became of all calls; ends the load."""
        for load in self.loads:
            load.end()
        rate = sum(load.done("close") for load in self.loads) / max(
            load.seconds for load in self.loads
        )
        figures = [at_least(f"{what}: new connections a second", rate, "/s", WANTED_RATE)]
        for load in self.loads:
            lost, mode = load.lost(), load.service.partition("-")[2]
            how = ", ".join(f"{number} {kind}" for kind, number in sorted(lost.items()))
            name = f"{what}, {mode}: lost of {load.done():,}{f' ({how})' if how else ''}"
            figures.append(Figure(name, sum(lost.values()), "", "0", not lost))
        figures.append(
            Figure(f"{what}: slower than 0.5 s", sum(load.slow() for load in self.loads), "")
        )
        return figures


@contextlib.contextmanager
def pressed(rate: float, *, split: bool = False) -> Iterator[Pressed]:
    """Run the pair and both services, then load them with so many new connections a second in sum."""
    with Engine() as engine, pair_of(engine, split=split) as pair:
        maker = Maker(engine)
        for mode, port in PORTS.items():
            for _ in range(REPLICAS):
                maker.strong(
                    f"load-{mode}", 8000, **of_tandem(f"load-{mode}", port), SERVICE_MODE=mode
                ).start()
        for port in PORTS.values():
            wait_for(lambda port=port: call(pair.address, port), 30, f"port {port} answers")  # type: ignore[misc]
        with contextlib.ExitStack() as stack:
            yield Pressed(pair, tuple(stack.enter_context(load) for load in loads_of(pair, rate)))


def loads_of(pair: Pair, rate: float) -> list[Load]:
    """Start the clients."""
    each = rate / len(PORTS) / CLIENTS
    return [
        Load(pair.address, port, f"load-{mode}", close=CLIENTS, keep=1, rate=each)
        for mode, port in PORTS.items()
    ]


def end_process(container: Container, word: str, number: signal.Signals) -> None:
    """Send a signal to the process in a container whose command line has the word; return when there is a new one."""
    old = container.pids(word)
    assert old, f"no {word} in {container.name}"
    for pid in old:
        os.kill(pid, number)
    wait_for(lambda: set(container.pids(word)) - set(old), 30, f"a new {word}")
