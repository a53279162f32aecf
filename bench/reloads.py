"""Calls lost over reloads under load: services with a port of their own come and go, each a reload of HAProxy."""

import time

from bench.measure import Figure, say, spread
from bench.pressure import pressed
from bench.world import Records, listens, metric, record
from tests.parts.engine import Pair
from tests.parts.wait import wait_for

PORT = 21_000
TIMES = "tandem_discover_reload_seconds"
RELOADS = "tandem_discover_reloads_total"


def run(count: int = 200, rate: float = 2400.0) -> list[Figure]:
    """Make so many reloads at so many new connections a second."""
    took_ms: list[float] = []
    with pressed(rate) as world:
        pair, records = world.pair, Records(world.pair.address)
        before = metric(pair, RELOADS), metric(pair, f"{TIMES}_sum"), metric(pair, f"{TIMES}_count")
        while (made := metric(pair, RELOADS) - before[0]) < count:
            took_ms.append(_come_and_go(pair, records, len(took_ms)))
            if len(took_ms) % 20 == 0:
                say(f"{made:g} of {count} reloads")
        seconds, times = (
            metric(pair, f"{TIMES}_sum") - before[1],
            metric(pair, f"{TIMES}_count") - before[2],
        )
        figures = world.figures(f"{made:g} reloads")
        records.close()
    mean = Figure("check and reload under load, mean", seconds / times * 1000, "ms")
    return [
        *figures,
        mean,
        *spread("record of a new service to its port answering, under load", took_ms)[:2],
    ]


def _come_and_go(pair: Pair, records: Records, number: int) -> float:
    """Add a service with a new port, then empty it; return the milliseconds until the port was listened on.

    An empty service may keep its listener (no reload) or lose it (one more): reloads are counted, not assumed.
    """
    port = PORT + number
    new = record(number + 1, f"more-{number}", "127.0.0.1", 9, port)
    began = time.monotonic()
    records.put(new)
    wait_for(lambda: listens(pair, port), 20, f"port {port} is listened on")
    took_ms = (time.monotonic() - began) * 1000
    records.delete(new)
    return took_ms
