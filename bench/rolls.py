"""Calls lost while three replicas are replaced one after the other, by a stop they drain from."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.engine_api import Stamps
from bench.load import Load
from bench.measure import Figure, say
from bench.sides import call, of_tandem
from bench.world import Made, Maker, pair_of
from tests.parts.engine import LABEL, Engine, Pair
from tests.parts.wait import wait_for

REPLICAS = 3
DRAIN_S, PATIENCE_S = 1, 10
KINDS = {"close": "one connection a call", "keep": "keep-alive"}
PORTS = {"tcp": 9500, "http": 9501}
Death = tuple[
    int, int
]  # when the engine was told to end a container, and when it saw that its process had


@dataclass(slots=True)
class Roller:
    """One service in one mode, and its replicas."""

    pair: Pair
    mode: str
    port: int
    maker: Maker
    replicas: list[Made] = field(default_factory=list)
    told_ns: dict[str, int] = field(default_factory=dict)  # when the engine was told to end one

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
            self.told_ns[old.id] = time.time_ns()
            end(old)
            old.remove()

    def _answers(self, made: Made) -> bool:
        return any(call(self.pair.address, self.port)[1] == made.short for _ in range(2 * REPLICAS))


def run(count: int = 10, rate: float = 100.0) -> list[Figure]:
    """Roll both modes so often; `rate` is the calls a second of each of four clients a mode."""
    return rolled("stop", lambda made: made.stop(PATIENCE_S), count, rate)


def rolled(name: str, end: Callable[[Made], None], count: int, rate: float) -> list[Figure]:
    """Roll both modes so often by one kind of end."""
    figures = []
    with Engine() as engine, pair_of(engine) as pair:
        rollers = [Roller(pair, mode, port, Maker(engine)) for mode, port in PORTS.items()]
        for roller in rollers:
            for _ in range(REPLICAS):
                roller.add()
        with Stamps(f"{LABEL}={engine.session}") as stamps:
            loads = _rolled(rollers, name, end, count, rate)
            died_ns = stamps.deaths()
        for roller, load in zip(rollers, loads, strict=True):
            deaths = [
                (told_ns, died_ns[id_]) for id_, told_ns in roller.told_ns.items() if id_ in died_ns
            ]
            figures += _figures(f"{count} rolls by {name}, {roller.mode}", load, deaths)
    return figures


def _rolled(
    rollers: list[Roller], name: str, end: Callable[[Made], None], count: int, rate: float
) -> list[Load]:
    """Roll all services at once, each under its load; return what became of the calls."""
    failed: list[BaseException] = []
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(r.pair.address, r.port, r.service, rate=rate)) for r in rollers
        ]
        threads = [
            threading.Thread(target=_rolls, args=(r, name, end, count, failed)) for r in rollers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    return loads


def _rolls(
    roller: Roller, name: str, end: Callable[[Made], None], count: int, failed: list[BaseException]
) -> None:
    try:
        for number in range(count):
            roller.roll(end)
            if number % 10 == 9:
                say(f"{roller.mode}: {number + 1} rolls by {name}")
    except BaseException as error:  # noqa: BLE001  raised again in the main thread
        failed.append(error)


def _figures(what: str, load: Load, deaths: Sequence[Death]) -> list[Figure]:
    say(
        f"{what}: {load.done()} calls, lost {load.lost() or 'none'}, {load.slow()} slower than 0.5 s"
    )
    figures = []
    for kind, words in KINDS.items():
        lost, moments = sum(load.lost(kind).values()), load.moments(kind)
        for began_ns, ended_ns, how in moments[:10]:
            say(
                f"  {how} from {_after(began_ns, deaths):.1f} to {_after(ended_ns, deaths):.1f} ms after a signal"
            )
        accepted = sum(
            _is_accepted(began_ns, ended_ns, deaths) for began_ns, ended_ns, _ in moments
        )
        # A killed process takes what it had accepted with it, and what was said over tcp cannot be said again.
        spared = accepted if what.endswith("by SIGKILL, tcp") else 0
        wanted = "0 but what a program had accepted before it was dead" if spared else "0"
        figures.append(
            Figure(
                f"{what}, {words}: lost of {load.done(kind):,}", lost, "", wanted, lost <= spared
            )
        )
        if lost:
            figures.append(
                Figure(f"{what}, {words}: of those accepted before a death", accepted, "")
            )
    return figures


def _is_accepted(began_ns: int, ended_ns: int, deaths: Sequence[Death]) -> bool:
    """Whether a call may have been taken, by a program or for it by the kernel, between its signal and its death."""
    return any(began_ns < die_ns and ended_ns > told_ns for told_ns, die_ns in deaths)


def _after(moment_ns: int, deaths: Sequence[Death]) -> float:
    """Return the milliseconds since the engine was told, the nearest time."""
    return min(((moment_ns - told_ns) / 1e6 for told_ns, _ in deaths), key=abs)
