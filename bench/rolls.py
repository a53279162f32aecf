"""Calls lost while three replicas are replaced in turn, each by a stop that it drains from."""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.caller import LostCall
from bench.load import Load
from bench.report.figures import Figure, say
from bench.rig.containers import ApiContainer, ContainerFactory, labels_of
from bench.rig.engine_api import Stamps
from bench.rig.pair import pair_of
from bench.rig.prober import call
from tests.parts.engine import LABEL, Engine, Pair
from tests.parts.wait import wait_for

REPLICAS = 3
DRAIN_S = 1
PATIENCE_S = 10
KINDS = {"close": "one connection a call", "keep": "keep-alive"}
PORTS = {"tcp": 9500, "http": 9501}

End = Callable[[ApiContainer], None]


@dataclass(frozen=True, slots=True)
class Death:
    """When the engine was asked to end a container, and when its process had ended."""

    asked_ns: int
    ended_ns: int

    def meets(self, lost: LostCall) -> bool:
        """Whether a program, or the kernel for it, may have accepted the call before its end."""
        return lost.began_ns < self.ended_ns and lost.ended_ns > self.asked_ns


@dataclass(slots=True)
class Roller:
    """One service in one mode, and its replicas."""

    pair: Pair
    mode: str
    port: int
    containers: ContainerFactory
    replicas: list[ApiContainer] = field(default_factory=list)
    asked_ns: dict[str, int] = field(default_factory=dict)  # when the engine was asked to end one

    @property
    def service(self) -> str:
        return f"roll-{self.mode}"

    def add(self) -> None:
        """Start one replica and return when it answers."""
        replica = self.containers.whoami(
            self.service,
            8000,
            {"DRAIN_S": str(DRAIN_S)},
            SERVICE_MODE=self.mode,
            **labels_of(self.service, self.port),
        )
        replica.start()
        self.replicas.append(replica)
        what = f"{replica.short} of {self.service} answers"
        wait_for(lambda: self._answers(replica), 20, what)

    def roll(self, end: End) -> None:
        """Replace each replica: the new one answers before the old one ends."""
        for _ in range(REPLICAS):
            self.add()
            old = self.replicas.pop(0)
            self.asked_ns[old.id] = time.time_ns()
            end(old)
            old.remove()

    def deaths(self, ended_ns: dict[str, int]) -> list[Death]:
        """Return the deaths of its replicas, given when each container of the session ended."""
        return [
            Death(asked_ns, ended_ns[container])
            for container, asked_ns in self.asked_ns.items()
            if container in ended_ns
        ]

    def _answers(self, replica: ApiContainer) -> bool:
        for _ in range(2 * REPLICAS):
            _, container, *_ = call(self.pair.address, self.port)
            if container == replica.short:
                return True

        return False


def run(count: int = 10, rate: float = 100.0) -> list[Figure]:
    """Roll both modes so often; each of a mode's four clients makes `rate` calls a second."""
    return rolled("stop", _stop, count, rate)


def _stop(container: ApiContainer) -> None:
    container.stop(PATIENCE_S)


def rolled(name: str, end: End, count: int, rate: float) -> list[Figure]:
    """Roll both modes so often by one kind of end."""
    figures = []
    with Engine() as engine, pair_of(engine) as pair:
        rollers = [
            Roller(pair, mode, port, ContainerFactory(engine)) for mode, port in PORTS.items()
        ]
        for roller in rollers:
            for _ in range(REPLICAS):
                roller.add()

        with Stamps(f"{LABEL}={engine.session}") as stamps:
            loads = _roll_all(rollers, name, end, count, rate)
            ended_ns = stamps.deaths()

    for roller, load in zip(rollers, loads, strict=True):
        title = f"{count} rolls by {name}, {roller.mode}"
        figures += _figures(title, load, roller.deaths(ended_ns))
    return figures


def _roll_all(
    rollers: Sequence[Roller],
    name: str,
    end: End,
    count: int,
    rate: float,
) -> list[Load]:
    """Roll all services at once, each under its load; return what became of the calls."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(rollers)) as pool:
        loads = []
        for roller in rollers:
            load = Load(roller.pair.address, roller.port, roller.service, rate=rate)
            loads.append(stack.enter_context(load))

        futures = [pool.submit(_roll, roller, name, end, count) for roller in rollers]
        for future in futures:
            future.result()
    return loads


def _roll(roller: Roller, name: str, end: End, count: int) -> None:
    for number in range(count):
        roller.roll(end)
        if number % 10 == 9:
            say(f"{roller.mode}: {number + 1} rolls by {name}")


def _figures(title: str, load: Load, deaths: Sequence[Death]) -> list[Figure]:
    lost = load.lost() or "none"
    say(f"{title}: {load.done()} calls, lost {lost}, {load.slow()} slower than 0.5 s")
    figures = []
    for kind in KINDS:
        figures += _kind_figures(title, load, kind, deaths)
    return figures


def _kind_figures(title: str, load: Load, kind: str, deaths: Sequence[Death]) -> list[Figure]:
    lost = sum(load.lost(kind).values())
    moments = load.moments(kind)
    for moment in moments[:10]:
        began_ms = _after_ms(moment.began_ns, deaths)
        ended_ms = _after_ms(moment.ended_ns, deaths)
        say(f"  {moment.kind} from {began_ms:.1f} to {ended_ms:.1f} ms after a signal")

    accepted = sum(any(death.meets(moment) for death in deaths) for moment in moments)
    # A killed process loses what it had accepted, and a call over tcp cannot be sent again.
    spared = accepted if title.endswith("by SIGKILL, tcp") else 0
    wanted = "0 but what a program had accepted before it was dead" if spared else "0"

    name = f"{title}, {KINDS[kind]}"
    figures = [
        Figure(f"{name}: lost of {load.done(kind):,}", lost, "", wanted, good=lost <= spared)
    ]
    if lost:
        figures.append(Figure(f"{name}: of those accepted before a death", accepted, ""))
    return figures


def _after_ms(moment_ns: int, deaths: Sequence[Death]) -> float:
    """Return the milliseconds since the engine was asked for the nearest death."""
    after_ms = [(moment_ns - death.asked_ns) / 1e6 for death in deaths]
    return min(after_ms, key=abs)
