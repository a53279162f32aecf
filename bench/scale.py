"""Ten to ten thousand instances: from docker-discover's start to what runs, one instance more, memory, a reload."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Figure, age_s, at_most, percentile, rss_mb, say
from bench.program import STRONG
from bench.sides import call
from bench.world import DISCOVER, Maker, Records, metric, pair_of, record
from catalog.record import Instance
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

SIZES = ((10, 10), (1000, 200), (10_000, 1000))  # instances, services
START_S, MEMORY_MB, MORE_TIMES = 6, 300, 3  # the bounds of issue 3, for the largest
PORT, PROBE_PORT, SERVER_PORT = 20_000, 19_000, 18_999
UP_S = 30.0
PAUSE_S = 1.5  # after a change nothing of it is left that the next one would wait for
RELOAD = "tandem_discover_reload_seconds"
CHECK = """
import json, subprocess, time
began = time.monotonic()
subprocess.run(["haproxy", "-c", "-f", "/var/lib/tandem/haproxy.cfg"], check=True, capture_output=True)
print(json.dumps(time.monotonic() - began))
"""


class NotRunning(Exception):
    """HAProxy did not come to run what the catalog says; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured at one size."""

    instances: int
    services: int
    start_s: float
    more_ms: float
    service_ms: float
    memory_mb: float
    peak_mb: float
    check_ms: float
    reload_ms: float


def run(more: int = 9, maxconn: int = 0) -> list[Figure]:
    """Measure each size; `more` is how often one instance is added, `maxconn` replaces HAProxy's in the template."""
    sizes, figures = [], []
    for instances, services in SIZES:
        what = f"{instances:,} instances in {services:,} services"
        with (
            Engine() as engine,
            pair_of(engine) as pair,
            _servers(engine),
            tempfile.TemporaryDirectory() as folder,
        ):
            flags = _template(pair, Path(folder), maxconn) if maxconn else []
            try:
                sizes.append(_size(pair, instances, services, more, flags))
            except NotRunning as error:
                say(f"{what}: {error}")
                figures.append(
                    Figure(
                        f"{what}: process start to answering: {error}", UP_S, "s", "", good=False
                    )
                )
            else:
                say(str(sizes[-1]))
                figures += _figures(what, sizes[-1], sizes[0])
    return figures


def _template(pair: Pair, folder: Path, maxconn: int) -> list[str]:
    """Return the flags for the image's own template with another maxconn."""
    text = pair.discover.exec(
        "sh", "-c", "cat /opt/tandem/lib/python3*/site-packages/templates/haproxy.cfg.j2"
    )
    (folder / "haproxy.cfg.j2").write_text(
        text.replace("{{ process.maxconn }}", str(maxconn)) + "\n"
    )
    return ["-v", f"{folder}:/etc/bench", "-e", "TEMPLATE=/etc/bench/haproxy.cfg.j2"]


@contextlib.contextmanager
def _servers(engine: Engine) -> Iterator[None]:
    """Answer at every loopback address, on one port; what is bound to `lo` nobody outside can reach."""
    config = STRONG.format(port=SERVER_PORT, service="scale").replace(
        f"*:{SERVER_PORT}", f"*:{SERVER_PORT} interface lo"
    )
    servers = Maker(engine).on_host(config)
    servers.start()
    try:
        wait_for(lambda: call("127.99.0.1", SERVER_PORT), 20, "the servers answer")
        yield
    finally:
        servers.remove()


def _size(pair: Pair, instances: int, services: int, more: int, flags: list[str]) -> Size:
    records = Records(pair.address)
    pair.discover.do("rm", "-f", "-v")
    records.put(*(_instance(number, services) for number in range(instances)), _probe(0))
    pair.discover = pair.run("docker-discover", *flags)
    start_s = _started(pair, services)
    pid = pair.discover.pids(DISCOVER)[0]
    time.sleep(PAUSE_S)
    more_ms = percentile([_one_more(pair, records, number + 1) for number in range(more)], 50)
    before = metric(pair, f"{RELOAD}_sum"), metric(pair, f"{RELOAD}_count")
    service_ms = percentile(
        [_new_service(pair, records, services + number) for number in range(3)], 50
    )
    after = metric(pair, f"{RELOAD}_sum"), metric(pair, f"{RELOAD}_count")
    records.close()
    return Size(
        instances,
        services,
        start_s,
        more_ms,
        service_ms,
        memory_mb=rss_mb(pid),
        peak_mb=rss_mb(pid, peak=True),
        check_ms=json.loads(pair.discover.exec("python3", "-c", CHECK)) * 1000,
        reload_ms=(after[0] - before[0]) / max(1, after[1] - before[1]) * 1000,
    )


def _instance(number: int, services: int) -> Instance:
    service = number % services
    address = f"127.100.{number // 250}.{number % 250 + 1}"
    return record(number, f"scale-{service}", address, SERVER_PORT, PORT + service)


def _probe(number: int) -> Instance:
    return record(0xFFFF00 + number, "probe", f"127.101.0.{number + 1}", SERVER_PORT, PROBE_PORT)


def _started(pair: Pair, services: int) -> float:
    """Return the seconds from the start of docker-discover's process until the last service answers."""
    pid = wait_for(lambda: pair.discover.pids(DISCOVER), 20, "docker-discover's process")[0]
    try:
        for port in (PORT, PORT + services - 1, PROBE_PORT):
            wait_for(lambda port=port: call(pair.address, port), UP_S, f"port {port} answers")  # type: ignore[misc]
    except AssertionError as error:
        said = [line for line in pair.discover.logs().splitlines() if "[ALERT]" in line]
        raise NotRunning(said[-1] if said else str(error)) from error
    return age_s(pid)


def _one_more(pair: Pair, records: Records, number: int) -> float:
    """Add an instance to a service that has one; return the milliseconds until it answers."""
    new = _probe(number)
    began = time.monotonic()
    records.put(new)
    wait_until_answers(pair, PROBE_PORT, new.address)
    took_ms = (time.monotonic() - began) * 1000
    records.delete(new)
    time.sleep(PAUSE_S)
    return took_ms


def _new_service(pair: Pair, records: Records, number: int) -> float:
    new = record(number + 1_000_000, f"scale-{number}", "127.102.0.1", SERVER_PORT, PORT + number)
    began = time.monotonic()
    records.put(new)
    wait_until_answers(pair, PORT + number, new.address)
    took_ms = (time.monotonic() - began) * 1000
    time.sleep(PAUSE_S)
    return took_ms


def wait_until_answers(pair: Pair, port: int, address: str, within_s: float = 60.0) -> None:
    """Call without pause until the server at this address answers."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if call(pair.address, port)[2] == address:
                return
        time.sleep(0.0005)
    raise TimeoutError(f"{address} did not answer on port {port} within {within_s:g} s")


def _figures(what: str, size: Size, smallest: Size) -> list[Figure]:
    largest = size.instances == SIZES[-1][0]
    start, memory = f"{what}: process start to answering", f"{what}: docker-discover's memory, peak"
    return [
        at_most(start, size.start_s, "s", START_S) if largest else Figure(start, size.start_s, "s"),
        _compared(
            f"{what}: one more instance, p50", size.more_ms, smallest.more_ms if largest else 0
        ),
        Figure(f"{what}: a new service, p50", size.service_ms, "ms"),
        Figure(f"{what}: docker-discover's memory", size.memory_mb, "MB"),
        at_most(memory, size.peak_mb, "MB", MEMORY_MB)
        if largest
        else Figure(memory, size.peak_mb, "MB"),
        Figure(f"{what}: haproxy -c", size.check_ms, "ms"),
        Figure(f"{what}: check and reload", size.reload_ms, "ms"),
    ]


def _compared(name: str, value_ms: float, smallest_ms: float) -> Figure:
    if not smallest_ms:
        return Figure(name, value_ms, "ms")
    bound = MORE_TIMES * smallest_ms
    return at_most(name, value_ms, "ms", bound, f"≤ {MORE_TIMES} × {smallest_ms:.0f}")
