"""Calls lost over reloads under load: services with a port of their own come and go."""

import time
from dataclasses import dataclass

from bench.report.figures import Figure, say, spread
from bench.rig.pair import RELOAD_SECONDS, RELOADS, listens, metric
from bench.rig.pressure import pressed
from bench.rig.records import Records, record
from tests.parts.engine import Pair
from tests.parts.wait import wait_for

PORT = 21_000


@dataclass(frozen=True, slots=True)
class Reading:
    """The reloads so far: how many, and the timed ones with their seconds."""

    reloads: float
    timed: float
    seconds: float

    @classmethod
    def of(cls, pair: Pair) -> "Reading":
        return cls(
            reloads=metric(pair, RELOADS),
            timed=metric(pair, f"{RELOAD_SECONDS}_count"),
            seconds=metric(pair, f"{RELOAD_SECONDS}_sum"),
        )


def run(count: int = 200, rate: float = 2400.0) -> list[Figure]:
    """Make so many reloads at so many new connections a second."""
    took_ms: list[float] = []
    with pressed(rate) as load:
        pair = load.pair
        records = Records(pair.address)
        before = Reading.of(pair)
        while (reloads := metric(pair, RELOADS) - before.reloads) < count:
            took_ms.append(_come_and_go(pair, records, len(took_ms)))
            if len(took_ms) % 20 == 0:
                say(f"{reloads:g} of {count} reloads")

        after = Reading.of(pair)
        figures = load.figures(f"{reloads:g} reloads")
        records.close()

    mean_s = (after.seconds - before.seconds) / (after.timed - before.timed)
    name = "record of a new service to its port answering, under load"
    return [
        *figures,
        Figure("check and reload under load, mean", mean_s * 1000, "ms"),
        *spread(name, took_ms, (50, 90)),
    ]


def _come_and_go(pair: Pair, records: Records, number: int) -> float:
    """Add a service with a new port, then empty it; return the milliseconds until it listened.

    An empty service may keep its listener (no reload) or lose it (one more): reloads are counted,
    not assumed.
    """
    port = PORT + number
    new = record(number + 1, f"more-{number}", "127.0.0.1", 9, port)
    began = time.monotonic()
    records.put(new)
    wait_for(lambda: listens(pair, port), 20, f"port {port} is listened on")
    took_ms = (time.monotonic() - began) * 1000

    records.delete(new)
    return took_ms
