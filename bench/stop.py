"""From the stop signal to the last request that the container received through HAProxy, in turn with the bare loop."""

import time

from bench.measure import Figure, percentile, say, spread
from bench.sides import Arena, Prober, Side, arena

PATIENCE_S = 1  # the program goes on answering so long: a request that comes late is seen, not lost


def run(count: int = 30, pause_s: float = 0.3) -> list[Figure]:
    """Measure so many stops of each side."""
    late_ms: dict[str, list[float]] = {}
    lost: dict[str, int] = {}
    with arena() as both:
        for number in range(count):
            for side in both.sides:
                took_ms, errors = _stop(both, side)
                late_ms.setdefault(side.name, []).append(took_ms)
                lost[side.name] = lost.get(side.name, 0) + errors
                time.sleep(pause_s)
            if number % 10 == 9:
                say(
                    f"{number + 1} of {count} stops: { ({n: round(percentile(v, 50), 1) for n, v in late_ms.items()}) }"
                )
    figures = [
        f
        for name, values in late_ms.items()
        for f in spread(f"{name}, signal to last request", values)
    ]
    return [
        *figures,
        *(Figure(f"{name}, calls lost at stops", number, "") for name, number in lost.items()),
    ]


def _stop(both: Arena, side: Side) -> tuple[float, int]:
    """Return the milliseconds until the last request, 0 if none came after the signal, and the calls that failed."""
    made = side.make()
    with Prober(side, made.short) as prober:
        made.start()
        prober.wait_seen()
        time.sleep(0.1)  # it is one of two servers that are called in turn
        made.stop(PATIENCE_S)
        prober.wait_unseen()
    stamp = both.stamps.of("kill", made.id)
    made.remove()
    return max(0.0, (prober.last_ns - stamp) / 1e6), len(prober.lost)
