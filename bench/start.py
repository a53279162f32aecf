"""From Docker's start event to a container's first reply: Tandem and the bare loop in turn."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.report.figures import Figure, at_most, median, percentile, say, spread
from bench.rig.containers import labels_of
from bench.rig.sides import Arena, Side, arena

RATIOS = {50: 1.25, 90: 1.5}  # by percentile, of the bare loop in the same run: issue 13
TAIL = 2.0  # p99 of p50, of Tandem's own: issue 13
NEW_PORT = 9400
NEW_MS = 90  # p50 of the first instance of a new service: issue 13


@dataclass(frozen=True, slots=True)
class Start:
    """What one start took, in milliseconds.

    `reply` is from the event; `own` from when there was an event and the program listened, so
    without the container's own start; `listening` from the event until the program listened,
    negative if it listened earlier.
    """

    reply: float
    own: float
    listening: float


def run(count: int = 100, new: int = 10, pause_s: float = 0.3) -> list[Figure]:
    """Measure so many starts of each side, and of new services, which need a listener."""
    with arena() as both:
        starts: dict[str, list[Start]] = {side.name: [] for side in both.sides}
        for number in range(count):
            for side in both.sides:
                starts[side.name].append(_start(both, side, pause_s))

            if number % 20 == 19:
                say(f"{number + 1} of {count} starts: {_short(starts)}")

        new_services = [_new_service(both, number) for number in range(new)]
        firsts = [_start(both, service, pause_s) for service in new_services]

    return [*_figures(starts), *_new_figures(firsts)]


def _new_figures(firsts: Sequence[Start]) -> list[Figure]:
    if not firsts:
        return []

    name = "Tandem, first of a new service"
    first_ms = [start.reply for start in firsts]
    return [
        at_most(f"{name}, p50", median(first_ms), "ms", NEW_MS),
        *spread(name, first_ms, (90,)),
    ]


def _start(both: Arena, side: Side, pause_s: float) -> Start:
    container = side.create()
    with side.prober(container) as prober:
        container.start()
        prober.wait_seen()

    started_ns = both.stamps.of("start", container.id)
    container.remove()
    time.sleep(pause_s)
    return Start(
        reply=(prober.first_ns - started_ns) / 1e6,
        own=(prober.first_ns - max(started_ns, prober.listening_ns)) / 1e6,
        listening=(prober.listening_ns - started_ns) / 1e6,
    )


def _new_service(both: Arena, number: int) -> Side:
    port = NEW_PORT + number
    service = f"new-{number}"
    create = partial(both.containers.quick, service, 8000, **labels_of(service, port))
    return Side(service, both.pair.address, port, create)


def _figures(starts: dict[str, list[Start]]) -> list[Figure]:
    figures = []
    listening_ms = []
    for name, some in starts.items():
        reply_ms = [start.reply for start in some]
        own_ms = [start.own for start in some]
        listening_ms += [start.listening for start in some]
        figures += spread(f"{name}, event to first reply", reply_ms)
        figures += spread(f"{name}, of that after the program listens", own_ms, (50, 90))

    figures += spread("the program, event to listening", listening_ms, (50, 90))
    tandem, bare = starts.values()
    for percent, bound in RATIOS.items():
        ratio = _reply_ms(tandem, percent) / _reply_ms(bare, percent)
        figures.append(at_most(f"Tandem ÷ bare loop, p{percent}", ratio, "×", bound))

    tail = _reply_ms(tandem, 99) / _reply_ms(tandem, 50)
    figures.append(at_most("Tandem, p99 ÷ p50", tail, "×", TAIL))
    return figures


def _reply_ms(starts: Sequence[Start], percent: float) -> float:
    return percentile([start.reply for start in starts], percent)


def _short(starts: dict[str, list[Start]]) -> str:
    words = []
    for name, some in starts.items():
        p50 = median([start.reply for start in some])
        words.append(f"{name} p50 {p50:.1f} ms")
    return ", ".join(words)
