"""What a call costs: Tandem beside no proxy, HAProxy by hand, nginx and Caddy, in turn."""

import random
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.peers.generator import Measured, h2load, wrk
from bench.peers.routes import FAR, H2C, LARGE, NEAR, SMALL, Route, Side
from bench.peers.running import Field, field
from bench.report.figures import Figure, at_least, at_most, cell, say
from bench.rig.usage import cpu_s

RATE_RATIO = 0.95  # of HAProxy by hand: issue 13
P99_RATIO = 1.2  # of what HAProxy by hand adds to a call
CLIENTS = 32
FAR_CLIENTS = 8  # more, and the CPU that all share would count, not the way


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of call, and the program that makes it."""

    name: str
    route: Route
    path: str
    load: Callable[..., Measured]
    clients: int = CLIENTS

    @property
    def title(self) -> str:
        return f"{self.name}, {self.clients} clients"


CASES = (
    Case("one host, keep-alive", NEAR, SMALL, wrk),
    Case("one host, new connections", NEAR, SMALL, partial(wrk, close=True)),
    Case("one host, keep-alive, 64 KB", NEAR, LARGE, wrk),
    Case("one host, h2c", H2C, SMALL, h2load),
    Case("two hosts, 0.5 ms each way, keep-alive", FAR, SMALL, wrk, FAR_CLIENTS),
)


@dataclass(frozen=True, slots=True)
class Slice:
    """One turn of one side."""

    load: Measured
    cpu_us: float  # of the side's processes, for each call


# The turns of each side, in the order of the rounds.
Turns = Mapping[Side, Sequence[Slice]]


def run(rounds: int = 5, seconds: int = 1) -> list[Figure]:
    """Let each side carry each kind of call for so many seconds a round; medians of the rounds."""
    turns: dict[Case, dict[Side, list[Slice]]] = {
        case: {side: [] for side in Side} for case in CASES
    }
    with tempfile.TemporaryDirectory(prefix="bench-calls-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers are not root
        with field(folder) as running:
            for number in range(rounds):
                for case in CASES:
                    # By chance: a turn that always follows the same other one measures that, too.
                    for side in random.sample(list(Side), len(Side)):
                        turns[case][side].append(_measure(running, case, side, seconds))
                say(f"round {number + 1} of {rounds}: {_brief(turns[CASES[0]])}")

            # It carries packets in one case only.
            wire_share = running.far.wire_cpu_s() / (rounds * seconds * len(Side))

    figures = []
    for case in CASES:
        figures += _table(case.title, turns[case])
        figures += _compared(case, turns[case])
    return [*figures, Figure("the wire between two hosts, of a core", wire_share * 100, "%")]


def _measure(running: Field, case: Case, side: Side, seconds: int) -> Slice:
    url = running.url(side, case.route, case.path)
    pids = running.pids(side)
    before_s = cpu_s(pids)
    load = case.load(url, seconds, case.clients)
    used_s = cpu_s(pids) - before_s
    return Slice(load, used_s / max(1, load.done) * 1e6)


def _brief(turns: Turns) -> str:
    rates = [f"{side} {slices[-1].load.rate:,.0f}/s" for side, slices in turns.items()]
    return ", ".join(rates)


def _table(title: str, turns: Turns) -> list[Figure]:
    """Return what each side showed."""
    figures = []
    for side, slices in turns.items():
        values = {
            "calls a second": (_middle([one.load.rate for one in slices]), "/s"),
            "p50": (_middle([one.load.p50_ms for one in slices]), "ms"),
            "p99": (_middle([one.load.p99_ms for one in slices]), "ms"),
            "p99.9": (_middle([one.load.p999_ms for one in slices]), "ms"),
            "CPU a call": (_middle([one.cpu_us for one in slices]), "µs"),
        }
        if side is Side.DIRECT:
            del values["CPU a call"]  # there is no proxy

        for column, (value, unit) in values.items():
            figures.append(Figure(cell(title, str(side), column), value, unit))
    return figures


def _compared(case: Case, turns: Turns) -> list[Figure]:
    """Return how Tandem's http compares."""
    return [
        *(_rate_to(case, turns, peer) for peer in (Side.HAPROXY, Side.NGINX, Side.CADDY)),
        _always_to_nginx(case, turns),
        _added(case.name, turns),
        _failed(case.name, turns),
    ]


def _rate_to(case: Case, turns: Turns, peer: Side) -> Figure:
    name = f"{case.name}: Tandem http ÷ {peer}, calls a second"
    ratio = rate_ratio(turns[Side.HTTP], turns[peer])
    if peer is Side.NGINX and case.route.h2c:
        return Figure(f"{name}; nginx speaks HTTP/1.1 to the instance", ratio, "×")

    return at_least(name, ratio, "×", RATE_RATIO if peer is Side.HAPROXY else 1.0)


def _always_to_nginx(case: Case, turns: Turns) -> Figure:
    """Return what a service gets that asks for it: nginx reuses connections for all requests."""
    name = f"{case.name}: {Side.ALWAYS} ÷ {Side.NGINX}, calls a second"
    return Figure(name, rate_ratio(turns[Side.ALWAYS], turns[Side.NGINX]), "×")


def _added(title: str, turns: Turns) -> Figure:
    """Return what Tandem's http adds to a p99, with what HAProxy by hand adds as its bound."""
    tandem_ms = added_p99_ms(turns[Side.HTTP], turns[Side.DIRECT])
    haproxy_ms = added_p99_ms(turns[Side.HAPROXY], turns[Side.DIRECT])
    # A proxy may seem to add less than nothing: direct calls are more, and wait for each other.
    bound_ms = haproxy_ms + (P99_RATIO - 1) * abs(haproxy_ms)
    wanted = f"≤ {P99_RATIO:g} × {haproxy_ms:.2f}, what {Side.HAPROXY} adds"
    return at_most(f"{title}: p99 that Tandem http adds", tandem_ms, "ms", bound_ms, wanted)


def _failed(title: str, turns: Turns) -> Figure:
    failed = sum(one.load.failed for slices in turns.values() for one in slices)
    return at_most(f"{title}: calls that failed, of all sides", failed, "", 0)


def rate_ratio(ours: Sequence[Slice], theirs: Sequence[Slice]) -> float:
    """Return how many calls one side carries for each of another's: the middle of all rounds."""
    return _middle([a.load.rate / b.load.rate for a, b in zip(ours, theirs, strict=True)])


def added_p99_ms(slices: Sequence[Slice], direct: Sequence[Slice]) -> float:
    """Return what a side adds to the p99 of a call without a proxy."""
    with_it = _middle([one.load.p99_ms for one in slices])
    return with_it - _middle([one.load.p99_ms for one in direct])


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)
