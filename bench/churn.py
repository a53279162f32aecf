"""A thousand instance changes in a minute: reloads they cost, and docker-discover's CPU share."""

import time
from dataclasses import dataclass

from bench.report.figures import Figure, at_least, at_most, say
from bench.rig.pair import DISCOVER, RELOADS, listens, metric, pair_of
from bench.rig.records import Records, record
from bench.rig.usage import cpu_s
from catalog.records.record import Instance
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

SERVICES = 50
INSTANCES = 4  # of each service; one more comes and goes
PORT = 20_000
WITHOUT_RELOAD = 99.0  # percent: issue 3
CORE = 50.0  # percent: issue 3
UPDATES = "tandem_discover_updates_total"


@dataclass(frozen=True, slots=True)
class Reading:
    """What docker-discover has done and used so far."""

    reloads: float
    updates: float
    used_s: float


def run(changes: int = 1000, seconds_s: float = 60.0) -> list[Figure]:
    """Make so many changes, evenly spread over this time."""
    with Engine() as engine, pair_of(engine) as pair:
        records = Records(pair.address)
        records.put(*_first_instances())
        wait_for(lambda: _all_listen(pair), 30, "all services are listened for")
        time.sleep(2)

        before = _reading(pair)
        took_s = _change(records, changes, seconds_s)
        after = _reading(pair)
        records.close()

    reloads = after.reloads - before.reloads
    without_reload = (changes - reloads) / changes * 100
    core = (after.used_s - before.used_s) / took_s * 100
    title = f"{changes:,} changes in {took_s:.0f} s"
    return [
        at_least(f"{title}: without a reload", without_reload, "%", WITHOUT_RELOAD),
        Figure("reloads", reloads, ""),
        Figure("runtime updates", after.updates - before.updates, ""),
        at_most("docker-discover, of a core", core, "%", CORE),
    ]


def _first_instances() -> list[Instance]:
    return [
        _instance(service, number) for service in range(SERVICES) for number in range(INSTANCES)
    ]


def _all_listen(pair: Pair) -> bool:
    """Whether the first and the last service have their ports."""
    return listens(pair, PORT) and listens(pair, PORT + SERVICES - 1)


def _reading(pair: Pair) -> Reading:
    pids = pair.discover.pids(DISCOVER)
    return Reading(metric(pair, RELOADS), metric(pair, UPDATES), cpu_s(pids))


def _change(records: Records, changes: int, seconds_s: float) -> float:
    """Add and remove in turn; return the seconds it took."""
    began = time.monotonic()
    for number in range(changes):
        due = began + number * seconds_s / changes
        time.sleep(max(0.0, due - time.monotonic()))

        is_removal = number % 2 == 1
        round_, service = divmod(number // 2, SERVICES)
        instance = _instance(service, INSTANCES + round_)
        if is_removal:
            records.delete(instance)
        else:
            records.put(instance)

        if number % 250 == 249:
            say(f"{number + 1} of {changes} changes")

    time.sleep(1)
    return time.monotonic() - began


def _instance(service: int, number: int) -> Instance:
    return record(
        number=service * 1000 + number,
        service=f"churn-{service}",
        address=f"127.100.{service}.{number + 1}",
        port=9,
        service_port=PORT + service,
    )
