"""The time of docker-discover's core without I/O: listing to snapshot, build, render, plan."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bench.report.figures import Figure, median, say
from bench.rig.records import PREFIX, record, record_key
from bench.scale import SIZES
from catalog.entries import Batch, Entry, Event, Listing
from catalog.records.record import encode
from discover.apply.plan import RuntimeUpdate, plan
from discover.model.build import BuildMemo, build
from discover.model.proxy_config import Bind, HostPolicy, Process
from discover.settings import TEMPLATE
from discover.snapshot.snapshot import apply, snapshot_of
from discover.text.render import Layout

P = ParamSpec("P")
T = TypeVar("T")
POLICY = HostPolicy(
    Process(Bind("127.0.0.1", 1936), "/run/admin.sock", 10_000, None, None),
    ("127.0.0.1",),
    {},
)


def run(times: int = 15) -> list[Figure]:
    """Measure each step so often at each size, and all of them for one instance more."""
    figures = []
    for instances, services in SIZES:
        took_ms = _size(instances, services, times)
        steps = ", ".join(f"{step} {ms:.2f} ms" for step, ms in took_ms.items())
        say(f"{instances:,} in {services:,}: {steps}")

        size = f"{instances:,} instances in {services:,} services"
        figures += [Figure(f"{size}: {step}, p50", ms, "ms") for step, ms in took_ms.items()]
    return figures


def _size(instances: int, services: int, times: int) -> dict[str, float]:
    """Return the median of each step, in milliseconds."""
    entries = [_entry(number, services) for number in range(instances)]
    listing = Listing(1, 1, tuple(entries))
    one_more = _entry(instances, services)
    rounds = [_round(listing, one_more) for _ in range(times)]

    steps = list(rounds[0])
    return {step: median([took_ms[step] for took_ms in rounds]) for step in steps}


def _round(listing: Listing, one_more: Entry) -> dict[str, float]:
    """Return the milliseconds of each step: a configuration from nothing, then one instance."""
    watch = _StopWatch()
    layout = Layout(TEMPLATE.read_text(), "haproxy.cfg.j2")
    memo = BuildMemo()
    snapshot = watch.time("listing to snapshot", snapshot_of, PREFIX, listing)
    config, _ = watch.time("build", build, snapshot, POLICY, memo)
    running = watch.time("first render, template compiled", layout.render, config, {})
    # As the round after a reload does.
    running = layout.render(config, running.sections)

    began = time.perf_counter()
    batch = Batch(2, (Event(one_more.key, one_more, 2),))
    after = apply(PREFIX, snapshot, batch)
    config, _ = build(after, POLICY, memo)
    wanted = layout.render(config, running.sections)
    step = watch.time("plan", plan, running.sections, wanted.sections)
    took_s = time.perf_counter() - began

    assert isinstance(step, RuntimeUpdate)
    return {**watch.ms, "all of it for one more instance": took_s * 1000}


class _StopWatch:
    """Calls functions, and keeps the milliseconds of each call by name."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def time(self, name: str, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        began = time.perf_counter()
        result = step(*args, **kwargs)
        self.ms[name] = (time.perf_counter() - began) * 1000
        return result


def _entry(number: int, services: int) -> Entry:
    service = number % services
    instance = record(
        number=number,
        service=f"s{service}",
        address=f"10.{number // 65_000}.{number // 250 % 250}.{number % 250 + 1}",
        port=8000,
        service_port=20_000 + service,
    )
    key = record_key(instance, host="bench")
    return Entry(key, encode(instance), 1, 1, 0)
