"""From Docker's start event to the first reply of that container through HAProxy: Tandem and the bare loop in turn."""

import time
from dataclasses import dataclass

from bench.measure import Figure, at_most, percentile, say, spread
from bench.sides import Arena, Prober, Side, arena, of_tandem

P50_RATIO, P90_RATIO = 1.5, 2.0  # of the bare loop in the same run: issue 3
NEW_PORT = 9400


@dataclass(frozen=True, slots=True)
class Start:
    """What one start took, in milliseconds."""

    reply: float  # from the event
    own: float  # from when there was an event and the program listened: what is not the container's own start
    listening: float  # from the event until the program listened; negative if it was earlier


def run(count: int = 100, new: int = 10, pause_s: float = 0.3) -> list[Figure]:
    """Measure so many starts of each side, and of new services, which need a listener."""
    with arena() as both:
        starts: dict[str, list[Start]] = {side.name: [] for side in both.sides}
        for number in range(count):
            for side in both.sides:
                starts[side.name].append(_start(both, side, pause_s))
            if number % 20 == 19:
                say(f"{number + 1} of {count} starts: {_short(starts)}")
        news = [_start(both, _new_service(both, number), pause_s) for number in range(new)]
    return [
        *_figures(starts),
        *spread("Tandem, first of a new service", [each.reply for each in news])[:2],
    ]


def _start(both: Arena, side: Side, pause_s: float) -> Start:
    made = side.make()
    with Prober(side, made.short) as prober:
        made.start()
        prober.wait_seen()
    stamp = both.stamps.of("start", made.id)
    made.remove()
    time.sleep(pause_s)
    return Start(
        reply=(prober.first_ns - stamp) / 1e6,
        own=(prober.first_ns - max(stamp, prober.listening_ns)) / 1e6,
        listening=(prober.listening_ns - stamp) / 1e6,
    )


def _new_service(both: Arena, number: int) -> Side:
    port, service = NEW_PORT + number, f"new-{number}"
    return Side(
        service,
        both.pair.address,
        port,
        lambda: both.maker.quick(service, 8000, **of_tandem(service, port)),
    )


def _figures(starts: dict[str, list[Start]]) -> list[Figure]:
    figures = []
    for name, some in starts.items():
        figures += spread(f"{name}, event to first reply", [each.reply for each in some])
        figures += spread(
            f"{name}, of that after the program listens", [each.own for each in some]
        )[:2]
    figures += spread(
        "the program, event to listening",
        [each.listening for some in starts.values() for each in some],
    )[:2]
    ours, bare = ([each.reply for each in some] for some in starts.values())
    for percent, bound in ((50, P50_RATIO), (90, P90_RATIO)):
        ratio = percentile(ours, percent) / percentile(bare, percent)
        figures.append(at_most(f"Tandem ÷ bare loop, p{percent}", ratio, "×", bound))
    return figures


def _short(starts: dict[str, list[Start]]) -> str:
    return ", ".join(
        f"{name} p50 {percentile([s.reply for s in some], 50):.1f} ms"
        for name, some in starts.items()
    )
