"""Ten to ten thousand instances: docker-discover's start, one instance more, memory, a reload."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.report.figures import Figure, at_most, median, say
from bench.rig.containers import ContainerFactory
from bench.rig.pair import DISCOVER, RELOAD_SECONDS, metric, pair_of
from bench.rig.prober import call
from bench.rig.programs import STRONG
from bench.rig.records import Records, record
from bench.rig.usage import age_s, rss_mb
from catalog.records.record import Instance
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

SIZES = ((10, 10), (1000, 200), (10_000, 1000))  # instances, services
# The bounds of issue 3, for the largest size.
START_S = 6
MEMORY_MB = 300
MORE_TIMES = 3
PORT = 20_000
PROBE_PORT = 19_000
SERVER_PORT = 18_999
NEW_SERVICES = 3
UP_S = 30.0
ANSWERS_S = 60.0
PAUSE_S = 1.5  # after a change, so that the next one waits for nothing of it
TEMPLATE = "/opt/tandem/lib/python3*/site-packages/templates/haproxy.cfg.j2"
CHECK = """
import json, subprocess, time
command = ["haproxy", "-c", "-f", "/var/lib/tandem/haproxy.cfg"]
began = time.monotonic()
subprocess.run(command, check=True, capture_output=True)
print(json.dumps(time.monotonic() - began))
"""


class NotRunning(Exception):
    """HAProxy could not run what the catalog describes; the text is its own message."""


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

    @property
    def title(self) -> str:
        return title_of(self.instances, self.services)


def title_of(instances: int, services: int) -> str:
    return f"{instances:,} instances in {services:,} services"


def run(more: int = 9, maxconn: int = 0) -> list[Figure]:
    """Measure each size.

    `more` is how often one instance is added; `maxconn` replaces HAProxy's in the template.
    """
    smallest: Size | None = None
    figures = []
    for instances, services in SIZES:
        try:
            size = _measured(instances, services, more, maxconn)
        except NotRunning as error:
            title = title_of(instances, services)
            say(f"{title}: {error}")
            name = f"{title}: process start to answering: {error}"
            figures.append(Figure(name, UP_S, "s", "", good=False))
            continue

        say(str(size))
        smallest = smallest or size
        figures += _figures(size, smallest)
    return figures


def _measured(instances: int, services: int, more: int, maxconn: int) -> Size:
    with (
        Engine() as engine,
        pair_of(engine) as pair,
        _servers(engine),
        tempfile.TemporaryDirectory() as folder,
    ):
        flags = _template_flags(pair, Path(folder), maxconn) if maxconn else []
        return _size(pair, instances, services, more, flags)


def _template_flags(pair: Pair, folder: Path, maxconn: int) -> list[str]:
    """Return the flags for the image's own template with another maxconn."""
    shipped = pair.discover.exec("sh", "-c", f"cat {TEMPLATE}")
    text = shipped.replace("{{ process.maxconn }}", str(maxconn))
    (folder / "haproxy.cfg.j2").write_text(text + "\n")
    return ["-v", f"{folder}:/etc/bench", "-e", "TEMPLATE=/etc/bench/haproxy.cfg.j2"]


@contextlib.contextmanager
def _servers(engine: Engine) -> Iterator[None]:
    """Answer at every loopback address, on one port that other machines cannot reach."""
    everywhere = STRONG.format(port=SERVER_PORT, service="scale")
    bind = f"*:{SERVER_PORT}"
    config = everywhere.replace(bind, f"{bind} interface lo")
    servers = ContainerFactory(engine).haproxy_on_host(config)
    servers.start()
    try:
        wait_for(lambda: call("127.99.0.1", SERVER_PORT), 20, "the servers answer")
        yield
    finally:
        servers.remove()


def _size(pair: Pair, instances: int, services: int, more: int, flags: list[str]) -> Size:
    pair.discover.do("rm", "-f", "-v")
    records = Records(pair.address)
    first_instances = [_instance(number, services) for number in range(instances)]
    records.put(*first_instances, _probe(0))

    pair.discover = pair.run("docker-discover", *flags)
    start_s = _started(pair, services)
    [pid, *_] = pair.discover.pids(DISCOVER)
    time.sleep(PAUSE_S)

    more_ms = [_one_more(pair, records, number + 1) for number in range(more)]

    seconds, reloads = _reloads(pair)
    service_ms = [_new_service(pair, records, services + number) for number in range(NEW_SERVICES)]
    seconds_after, reloads_after = _reloads(pair)
    reload_s = (seconds_after - seconds) / max(1, reloads_after - reloads)

    records.close()
    check_s = json.loads(pair.discover.exec("python3", "-c", CHECK))
    return Size(
        instances=instances,
        services=services,
        start_s=start_s,
        more_ms=median(more_ms),
        service_ms=median(service_ms),
        memory_mb=rss_mb(pid),
        peak_mb=rss_mb(pid, peak=True),
        check_ms=check_s * 1000,
        reload_ms=reload_s * 1000,
    )


def _reloads(pair: Pair) -> tuple[float, float]:
    """Return the seconds that all reloads so far have taken, and how many there were."""
    return metric(pair, f"{RELOAD_SECONDS}_sum"), metric(pair, f"{RELOAD_SECONDS}_count")


def _instance(number: int, services: int) -> Instance:
    service = number % services
    return record(
        number=number,
        service=f"scale-{service}",
        address=f"127.100.{number // 250}.{number % 250 + 1}",
        port=SERVER_PORT,
        service_port=PORT + service,
    )


def _probe(number: int) -> Instance:
    """Return an instance of the service that grows."""
    return record(
        number=0xFFFF00 + number,
        service="probe",
        address=f"127.101.0.{number + 1}",
        port=SERVER_PORT,
        service_port=PROBE_PORT,
    )


def _started(pair: Pair, services: int) -> float:
    """Return the seconds from the start of docker-discover's process until all services answer."""
    [pid, *_] = wait_for(lambda: pair.discover.pids(DISCOVER), 20, "docker-discover's process")
    try:
        for port in (PORT, PORT + services - 1, PROBE_PORT):
            wait_for(partial(call, pair.address, port), UP_S, f"port {port} answers")
    except AssertionError as error:
        alerts = [line for line in pair.discover.logs().splitlines() if "[ALERT]" in line]
        raise NotRunning(alerts[-1] if alerts else str(error)) from error

    return age_s(pid)


def _one_more(pair: Pair, records: Records, number: int) -> float:
    """Add an instance to a service that has one; return the milliseconds until it answers."""
    new = _probe(number)
    took_ms = _until_answers(pair, records, new, PROBE_PORT)
    records.delete(new)
    time.sleep(PAUSE_S)
    return took_ms


def _new_service(pair: Pair, records: Records, number: int) -> float:
    """Add a service; return the milliseconds until it answers."""
    port = PORT + number
    new = record(number + 1_000_000, f"scale-{number}", "127.102.0.1", SERVER_PORT, port)
    took_ms = _until_answers(pair, records, new, port)
    time.sleep(PAUSE_S)
    return took_ms


def _until_answers(pair: Pair, records: Records, new: Instance, port: int) -> float:
    """Publish an instance and call the service port without pause until it answers."""
    began = time.monotonic()
    records.put(new)
    while time.monotonic() < began + ANSWERS_S:
        with contextlib.suppress(OSError):
            _, _, address = call(pair.address, port)
            if address == new.address:
                return (time.monotonic() - began) * 1000
        time.sleep(0.0005)

    where = f"port {port} within {ANSWERS_S:g} s"
    raise TimeoutError(f"{new.address} did not answer on {where}")


def _figures(size: Size, smallest: Size) -> list[Figure]:
    title = size.title
    more_bound_ms = MORE_TIMES * smallest.more_ms
    more_wanted = f"≤ {MORE_TIMES} × {smallest.more_ms:.0f}"
    figures = [
        at_most(f"{title}: process start to answering", size.start_s, "s", START_S),
        at_most(f"{title}: one more instance, p50", size.more_ms, "ms", more_bound_ms, more_wanted),
        Figure(f"{title}: a new service, p50", size.service_ms, "ms"),
        Figure(f"{title}: docker-discover's memory", size.memory_mb, "MB"),
        at_most(f"{title}: docker-discover's memory, peak", size.peak_mb, "MB", MEMORY_MB),
        Figure(f"{title}: haproxy -c", size.check_ms, "ms"),
        Figure(f"{title}: check and reload", size.reload_ms, "ms"),
    ]
    if size.instances == SIZES[-1][0]:
        return figures

    # Only the largest size has bounds.
    return [Figure(figure.name, figure.value, figure.unit) for figure in figures]
