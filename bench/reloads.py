"""Calls lost over reloads under load: services with a port of their own come and go."""

import random
import threading
import time
from dataclasses import dataclass

from bench.report.figures import Figure, at_most, median, percentile, say, spread
from bench.rig.pair import OLD_WORKERS, RELOAD_SECONDS, RELOADS, listens, metric
from bench.rig.pressure import pressed
from bench.rig.records import Records, record
from tests.parts.engine import Pair

PORT = 21_000
NEW_PORT = 20_500
SILENT_PORT = 100  # each instance at one of its own, where nothing listens
MINUTE_S = 60.0
NEW_MS = 300  # p90 of services that come by chance: issue 13
OLD_WORKERS_MAX = 150  # docs/decisions/haproxy.md
LOOK_S = 0.002
GIVE_UP_S = 20.0


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


def run(count: int = 200, rate: float = 2400.0, new: int = 30) -> list[Figure]:
    """Make so many reloads at so many new connections a second.

    Before them, so many new services come in a minute.
    """
    took_ms: list[float] = []
    with pressed(rate) as load:
        pair = load.pair
        records = Records(pair.address)
        came_ms = _come_by_chance(pair, records, new)
        old_workers = metric(pair, OLD_WORKERS)
        say(f"{new} new services: p50 {median(came_ms):.0f} ms")

        before = Reading.of(pair)
        while (reloads := metric(pair, RELOADS) - before.reloads) < count:
            took_ms.append(_come_and_go(pair, records, len(took_ms)))
            if len(took_ms) % 20 == 0:
                say(f"{reloads:g} of {count} reloads")

        after = Reading.of(pair)
        figures = load.figures(f"{reloads:g} reloads")
        records.close()

    mean_s = (after.seconds - before.seconds) / (after.timed - before.timed)
    to_port = "record of a new service to its port answering"
    by_chance = f"{new} services come in a minute under load: {to_port}"
    return [
        *figures,
        Figure("check and reload under load, mean", mean_s * 1000, "ms"),
        *spread(by_chance, came_ms, (50,)),
        at_most(f"{by_chance}, p90", percentile(came_ms, 90), "ms", NEW_MS),
        at_most("old workers after these", old_workers, "", OLD_WORKERS_MAX),
        *spread(f"one after the other without a pause, under load: {to_port}", took_ms, (50, 90)),
    ]


def _come_by_chance(pair: Pair, records: Records, new: int) -> list[float]:
    """Add so many services at random moments of a minute; return what each took."""
    chance = random.Random(new)
    moments_s = sorted(chance.uniform(0, MINUTE_S) for _ in range(new))
    took_ms: list[float] = []
    watchers: list[threading.Thread] = []
    first_s = time.monotonic()

    for number, moment_s in enumerate(moments_s):
        time.sleep(max(0.0, first_s + moment_s - time.monotonic()))
        port = NEW_PORT + number
        instance = record(5000 + number, f"new-{number}", "127.0.0.1", SILENT_PORT + number, port)
        began_s = time.monotonic()
        records.put(instance)
        watcher = threading.Thread(target=_note_listening, args=(pair, port, began_s, took_ms))
        watcher.start()
        watchers.append(watcher)

    for watcher in watchers:
        watcher.join()
    assert len(took_ms) == new, f"{new - len(took_ms)} of {new} new services have no port"
    return took_ms


def _note_listening(pair: Pair, port: int, began_s: float, took_ms: list[float]) -> None:
    if (found_ms := _listening_ms(pair, port, began_s)) is not None:
        took_ms.append(found_ms)


def _listening_ms(pair: Pair, port: int, began_s: float) -> float | None:
    """Return when a port was listened on, in milliseconds after a moment."""
    while time.monotonic() < began_s + GIVE_UP_S:
        if listens(pair, port):
            return (time.monotonic() - began_s) * 1000
        time.sleep(LOOK_S)
    return None


def _come_and_go(pair: Pair, records: Records, number: int) -> float:
    """Add a service with a new port, then empty it; return the milliseconds until it listened.

    An empty service may keep its listener (no reload) or lose it (one more): reloads are counted,
    not assumed.
    """
    port = PORT + number
    new = record(number + 1, f"more-{number}", "127.0.0.1", 9, port)
    began = time.monotonic()
    records.put(new)
    took_ms = _listening_ms(pair, port, began)
    assert took_ms is not None, f"port {port} is not listened on"

    records.delete(new)
    return took_ms
