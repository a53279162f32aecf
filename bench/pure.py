"""The time that docker-discover's core takes without any I/O: listing to snapshot, build, render, plan."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from bench.measure import Figure, percentile, say
from bench.scale import SIZES
from bench.world import PREFIX, record
from catalog.entries import Batch, Entry, Event, Listing
from catalog.keys import identity, key_of
from catalog.record import Instance, encode
from discover.apply.plan import RuntimeUpdate, plan
from discover.model.build import BuildMemo, build
from discover.model.config import Bind, HostPolicy, Process
from discover.settings import TEMPLATE
from discover.snapshot.snapshot import apply, snapshot_of
from discover.text.render import Layout

P = ParamSpec("P")
T = TypeVar("T")
POLICY = HostPolicy(
    Process(Bind("127.0.0.1", 1936), "/run/admin.sock", 10_000, None, None), ("127.0.0.1",), {}
)


def run(times: int = 15) -> list[Figure]:
    """Measure each step so often at each size, and all of them for one instance more."""
    figures = []
    for instances, services in SIZES:
        some = _size(instances, services, times)
        say(
            f"{instances:,} in {services:,}: {', '.join(f'{name} {ms:.2f} ms' for name, ms in some.items())}"
        )
        what = f"{instances:,} instances in {services:,} services"
        figures += [Figure(f"{what}: {name}, p50", ms, "ms") for name, ms in some.items()]
    return figures


def _size(instances: int, services: int, times: int) -> dict[str, float]:
    listing = Listing(1, 1, tuple(_entry(number, services) for number in range(instances)))
    rounds = [_round(listing, _entry(instances, services)) for _ in range(times)]
    return {name: percentile([each[name] for each in rounds], 50) for name in rounds[0]}


def _round(listing: Listing, more: Entry) -> dict[str, float]:
    """Return the milliseconds of each step, from nothing to a configuration and one instance further."""
    took = _Took({})
    layout, known = Layout(TEMPLATE.read_text(), "haproxy.cfg.j2"), BuildMemo()
    snapshot = took("listing to snapshot", snapshot_of, PREFIX, listing)
    config, _ = took("build", build, snapshot, POLICY, known)
    running = took("first render, template compiled", layout.render, config)

    began = time.perf_counter()
    after = apply(PREFIX, snapshot, Batch(2, (Event(more.key, more, 2),)))
    wanted = layout.render(build(after, POLICY, known)[0])
    step = took("plan", plan, running.sections, wanted.sections)
    took.ms["all of it for one more instance"] = (time.perf_counter() - began) * 1000
    assert isinstance(step, RuntimeUpdate)
    return took.ms


@dataclass(frozen=True, slots=True)
class _Took:
    """A stop-watch: call it with a name, a function and what to call it with."""

    ms: dict[str, float]

    def __call__(self, name: str, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        began = time.perf_counter()
        result = step(*args, **kwargs)
        self.ms[name] = (time.perf_counter() - began) * 1000
        return result


def _entry(number: int, services: int) -> Entry:
    instance = _instance(number, services)
    return Entry(key_of(PREFIX, identity("bench", instance)), encode(instance), 1, 1, 0)


def _instance(number: int, services: int) -> Instance:
    address = f"10.{number // 65_000}.{number // 250 % 250}.{number % 250 + 1}"
    return record(number, f"s{number % services}", address, 8000, 20_000 + number % services)
