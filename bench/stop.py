"""From the stop signal to the last request that a container received: Tandem and the bare loop."""

import time
from dataclasses import dataclass, field

from bench.report.figures import Figure, median, say, spread
from bench.rig.sides import Arena, Side, arena

PATIENCE_S = 1  # the program goes on answering so long: a late request is seen, not lost


@dataclass(slots=True)
class Stops:
    """The stops of one side."""

    late_ms: list[float] = field(default_factory=list)  # until the last request; 0 if none was late
    lost: int = 0  # calls


def run(count: int = 30, pause_s: float = 0.3) -> list[Figure]:
    """Measure so many stops of each side, in turn."""
    with arena() as both:
        stops = {side.name: Stops() for side in both.sides}
        for number in range(count):
            for side in both.sides:
                _stop(both, side, stops[side.name])
                time.sleep(pause_s)

            if number % 10 == 9:
                medians = {name: round(median(some.late_ms), 1) for name, some in stops.items()}
                say(f"{number + 1} of {count} stops: {medians}")

    figures = []
    for name, some in stops.items():
        figures += spread(f"{name}, signal to last request", some.late_ms)
    for name, some in stops.items():
        figures.append(Figure(f"{name}, calls lost at stops", some.lost, ""))
    return figures


def _stop(both: Arena, side: Side, stops: Stops) -> None:
    container = side.create()
    with side.prober(container) as prober:
        container.start()
        prober.wait_seen()
        time.sleep(0.1)  # it is one of two servers that are called in turn
        container.stop(PATIENCE_S)
        prober.wait_unseen()

    signalled_ns = both.stamps.of("kill", container.id)
    container.remove()
    stops.late_ms.append(max(0.0, (prober.last_ns - signalled_ns) / 1e6))
    stops.lost += len(prober.lost)
