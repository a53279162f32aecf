"""From telling a proxy of a new service until its port answers: Tandem and the peers in turn."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.load import Load
from bench.peers.growing import ANSWER, Side, growing, is_reply
from bench.report.figures import Figure, cell, median, percentile, say
from bench.rig.prober import PAUSE_S, call

PERCENTS = (50, 90)
GIVE_UP_S = 15.0

# By name of a side: the milliseconds of each of its new services, in their order.
Took = Mapping[str, Sequence[float]]


def run(count: int = 20, pause_s: float = 0.5, rate: int = 100) -> list[Figure]:
    """Add so many services to each side, alone and while each carries so many calls a second."""
    figures = []
    for calls in (0, rate):
        title = f"while each carries {calls} calls a second" if calls else "alone"
        with (
            tempfile.TemporaryDirectory(prefix="bench-new-") as folder,
            growing(_readable(folder)) as sides,
            _calling(sides, calls) as loads,
        ):
            took_ms = _took_ms(sides, count, pause_s)

        say(f"{title}: {_brief(took_ms)}")
        figures += _table(title, took_ms, loads)
        figures += _ratios(title, took_ms)
    return figures


def _readable(name: str) -> Path:
    folder = Path(name)
    folder.chmod(0o755)  # nginx's workers are not root
    return folder


@contextlib.contextmanager
def _calling(sides: Sequence[Side], rate: int) -> Iterator[Mapping[str, Load]]:
    """Call a service of each side, half of the calls on new connections."""
    with contextlib.ExitStack() as stack:
        loads = {}
        for side in sides if rate else ():
            load = Load(side.address, side.first_port, ANSWER, close=1, keep=1, rate=rate / 2)
            loads[side.name] = stack.enter_context(load)
        yield loads


def _took_ms(sides: Sequence[Side], count: int, pause_s: float) -> Took:
    """Add services, one side after the other; each round another one begins."""
    took_ms: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(count):
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            took_ms[side.name].append(_until_answers_ms(side))
            time.sleep(pause_s)
    return took_ms


def _until_answers_ms(side: Side) -> float:
    """Add a service; return the milliseconds until its port answers."""
    port = side.next_port
    with ThreadPoolExecutor(1) as watcher:
        began_s = time.monotonic()
        answered = watcher.submit(_answered_s, side, port)
        side.add()
        return (answered.result() - began_s) * 1000


def _answered_s(side: Side, port: int) -> float:
    """Call a port without pause; return when it answered. The same loop watches every side."""
    deadline_s = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            if is_reply(call(side.address, port)):
                return time.monotonic()
        time.sleep(PAUSE_S)

    raise TimeoutError(f"{side.name} does not answer on port {port}")


def _brief(took_ms: Took) -> str:
    return ", ".join(f"{name} p50 {median(some):.0f} ms" for name, some in took_ms.items())


def _table(title: str, took_ms: Took, loads: Mapping[str, Load]) -> list[Figure]:
    """Return what each side showed."""
    figures = []
    for name, some in took_ms.items():
        for percent in PERCENTS:
            value = percentile(some, percent)
            figures.append(Figure(cell(title, name, f"p{percent}"), value, "ms"))

        if name in loads:
            load = loads[name]
            lost = sum(load.lost().values())
            figures.append(Figure(cell(title, name, "calls"), load.done(), ""))
            figures.append(Figure(cell(title, name, "of them lost"), lost, ""))
    return figures


def _ratios(title: str, took_ms: Took) -> list[Figure]:
    """Return how Tandem compares with each peer."""
    ours, *peers = took_ms
    return [
        Figure(f"{title}: {ours} ÷ {peer}, p{percent}", _ratio(took_ms, ours, peer, percent), "×")
        for peer in peers
        for percent in PERCENTS
    ]


def _ratio(took_ms: Took, ours: str, peer: str, percent: int) -> float:
    return percentile(took_ms[ours], percent) / percentile(took_ms[peer], percent)
