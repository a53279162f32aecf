"""Calls lost while three replicas are replaced one after the other, by a stop they drain from, and by SIGKILL."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.load import Load
from bench.measure import Figure, say
from bench.sides import call, of_tandem
from bench.world import Made, Maker, pair_of
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

REPLICAS = 3
DRAIN_S, PATIENCE_S = 1, 10
PORTS = {"tcp": 9500, "http": 9501}


@dataclass(slots=True)
class Roller:
    """One service in one mode, and its replicas."""

    pair: Pair
    mode: str
    port: int
    maker: Maker
    replicas: list[Made] = field(default_factory=list)

    @property
    def service(self) -> str:
        return f"roll-{self.mode}"

    def add(self) -> None:
        """Start one replica and return when it answers."""
        labels = of_tandem(self.service, self.port) | {"SERVICE_MODE": self.mode}
        made = self.maker.whoami(self.service, 8000, {"DRAIN_S": str(DRAIN_S)}, **labels)
        made.start()
        self.replicas.append(made)
        wait_for(lambda: self._answers(made), 20, f"{made.short} of {self.service} answers")

    def roll(self, end: Callable[[Made], None]) -> None:
        """Replace each replica: the new one answers before the old one ends."""
        for _ in range(REPLICAS):
            self.add()
            old = self.replicas.pop(0)
            end(old)
            old.remove()

    def _answers(self, made: Made) -> bool:
        return any(call(self.pair.address, self.port)[1] == made.short for _ in range(2 * REPLICAS))


def run(count: int = 10, rate: float = 100.0) -> list[Figure]:
    """Roll both modes so often by each kind of end; `rate` is the calls a second of each of four clients a mode."""
    figures = []
    with Engine() as engine, pair_of(engine) as pair:
        rollers = [Roller(pair, mode, port, Maker(engine)) for mode, port in PORTS.items()]
        for roller in rollers:
            for _ in range(REPLICAS):
                roller.add()
        for name, end in (("stop", lambda made: made.stop(PATIENCE_S)), ("SIGKILL", Made.kill)):
            figures += _rolled(rollers, name, end, count, rate)
    return figures


def _rolled(rollers: list[Roller], name: str, end: Callable[[Made], None], count: int, rate: float) -> list[Figure]:
    loads = [Load(r.pair.address, r.port, r.service, rate=rate) for r in rollers]
    failed: list[BaseException] = []
    try:
        time.sleep(1)  # all clients call before the first container goes
        threads = [threading.Thread(target=_rolls, args=(r, name, end, count, failed)) for r in rollers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for load in loads:
            load.end()
    if failed:
        raise failed[0]
    return [
        f for r, load in zip(rollers, loads, strict=True) for f in _figures(f"{count} rolls by {name}, {r.mode}", load)
    ]


def _rolls(roller: Roller, name: str, end: Callable[[Made], None], count: int, failed: list[BaseException]) -> None:
    try:
        for number in range(count):
            roller.roll(end)
            if number % 10 == 9:
                say(f"{roller.mode}: {number + 1} rolls by {name}")
    except BaseException as error:  # noqa: BLE001  raised again in the main thread
        failed.append(error)


def _figures(what: str, load: Load) -> list[Figure]:
    say(f"{what}: {load.done()} calls, lost {load.lost() or 'none'}, {load.slow()} slow; first {load.moments()[:5]}")
    kinds = {"close": "one connection a call", "keep": "keep-alive"}
    figures = []
    for kind, words in kinds.items():
        lost = sum(load.lost(kind).values())
        figures.append(Figure(f"{what}, {words}: lost of {load.done(kind):,}", lost, "", "0", lost == 0))
    return figures
