"""A thousand instance changes in a minute: how many without a reload, and docker-discover's share of a core."""

import time

from bench.measure import Figure, at_least, at_most, cpu_s, say
from bench.reloads import RELOADS
from bench.world import DISCOVER, Records, listens, metric, pair_of, record
from catalog.record import Instance
from tests.parts.engine import Engine
from tests.parts.wait import wait_for

SERVICES, EACH = 50, 4  # of every service one instance comes and goes
PORT = 20_000
WITHOUT_RELOAD, CORE = 99.0, 50.0  # percent: issue 3
UPDATES = "tandem_discover_updates_total"


def run(changes: int = 1000, seconds_s: float = 60.0) -> list[Figure]:
    """Make so many changes, evenly spread over this time."""
    with Engine() as engine, pair_of(engine) as pair:
        records = Records(pair.address)
        records.put(
            *(_instance(service, number) for service in range(SERVICES) for number in range(EACH))
        )
        wait_for(
            lambda: all(listens(pair, PORT + service) for service in (0, SERVICES - 1)),
            30,
            "all services are listened for",
        )
        time.sleep(2)
        pids = pair.discover.pids(DISCOVER)
        before = metric(pair, RELOADS), metric(pair, UPDATES), cpu_s(pids)
        took_s = _change(records, changes, seconds_s)
        used = (cpu_s(pids) - before[2]) / took_s * 100
        reloads, updates = metric(pair, RELOADS) - before[0], metric(pair, UPDATES) - before[1]
        records.close()
    share = (changes - reloads) / changes * 100
    return [
        at_least(
            f"{changes:,} changes in {took_s:.0f} s: without a reload", share, "%", WITHOUT_RELOAD
        ),
        Figure("reloads", reloads, ""),
        Figure("runtime updates", updates, ""),
        at_most("docker-discover, of a core", used, "%", CORE),
    ]


def _change(records: Records, changes: int, seconds_s: float) -> float:
    """Add and remove in turn; return the seconds it took."""
    began = time.monotonic()
    for number in range(changes):
        time.sleep(max(0.0, began + number * seconds_s / changes - time.monotonic()))
        one = _instance(number // 2 % SERVICES, EACH + number // 2 // SERVICES)
        (records.delete if number % 2 else records.put)(one)
        if number % 250 == 249:
            say(f"{number + 1} of {changes} changes")
    time.sleep(1)
    return time.monotonic() - began


def _instance(service: int, number: int) -> Instance:
    address = f"127.100.{service}.{number + 1}"
    return record(service * 1000 + number, f"churn-{service}", address, 9, PORT + service)
