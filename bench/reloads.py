"""Calls lost over reloads under load: services with a port of their own come and go, each a reload of HAProxy."""

import time

from bench.measure import Figure, say, spread
from bench.pressure import pressed
from bench.world import Records, listens, metric, record
from tests.parts.engine import Pair
from tests.parts.wait import wait_for

PORT = 9700
TIMES = "tandem_discover_reload_seconds"
RELOADS = "tandem_discover_reloads_total"


def run(count: int = 200, rate: float = 2400.0) -> list[Figure]:
    """Make so many reloads at so many new connections a second."""
    took_ms: list[float] = []
    with pressed(rate) as world:
        pair, records = world.pair, Records(world.pair.address)
        before = metric(pair, RELOADS), metric(pair, f"{TIMES}_sum"), metric(pair, f"{TIMES}_count")
        while (made := metric(pair, RELOADS) - before[0]) < count:
            took_ms += _come_and_go(pair, records, int(made))
            if int(made) % 20 < 2:
                say(f"{made:g} of {count} reloads")
        seconds, times = metric(pair, f"{TIMES}_sum") - before[1], metric(pair, f"{TIMES}_count") - before[2]
        figures = world.figures(f"{made:g} reloads")
        records.close()
    mean = Figure("check and reload under load, mean", seconds / times * 1000, "ms")
    return [*figures, mean, *spread("record of a new service to its port answering, under load", took_ms)[:2]]


def _come_and_go(pair: Pair, records: Records, number: int) -> list[float]:
    """Add a service and remove it again; return the milliseconds until each was so."""
    new = record(number + 1, f"more-{number % 50}", "127.0.0.1", 9, PORT + number % 50)
    began = time.monotonic()
    records.put(new)
    wait_for(lambda: listens(pair, new.service_port or 0), 20, "the new port is listened on")
    took_ms = (time.monotonic() - began) * 1000
    records.delete(new)
    wait_for(lambda: not listens(pair, new.service_port or 0), 20, "the port is closed")
    return [took_ms]
