"""Tandem and the bare loop side by side: the same engine, etcd, containers, HAProxy and prober."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.bare import BACKEND, CONFIG
from bench.rig.containers import ApiContainer, ContainerFactory, labels_of
from bench.rig.engine_api import Stamps
from bench.rig.pair import gateway, pair_of
from bench.rig.prober import Prober, call
from tests.parts.engine import LABEL, Engine, Pair
from tests.parts.haproxy import RealHAProxy
from tests.parts.wait import wait_for

SERVICE = "bench"
PORT = 9100
BARE_PORT = 9200
BARE_LABEL = "bench.bare"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: `create` makes a container of it, `port` is where its HAProxy listens."""

    name: str
    address: str
    port: int
    create: Callable[[], ApiContainer]

    def prober(self, container: ApiContainer) -> Prober:
        return Prober(self.name, self.address, self.port, container.short)


@dataclass(frozen=True, slots=True)
class Arena:
    """Both sides, running, each with one container that stays.

    So the start of another one needs a server and no new listener.
    """

    sides: tuple[Side, ...]
    stamps: Stamps
    pair: Pair
    containers: ContainerFactory


@contextlib.contextmanager
def arena() -> Iterator[Arena]:
    """Run both sides; all of it is removed afterwards."""
    with Engine() as engine, pair_of(engine) as pair, Stamps(f"{LABEL}={engine.session}") as stamps:
        containers = ContainerFactory(engine)
        bare_label = {BARE_LABEL: engine.session}

        create_tandem = partial(containers.quick, SERVICE, 8000, **labels_of(SERVICE, PORT))
        create_bare = partial(containers.quick, SERVICE, 8000, **bare_label)
        tandem = Side("Tandem", pair.address, PORT, create_tandem)
        bare = Side("bare loop", pair.address, BARE_PORT, create_bare)

        tandem.create().start()
        first = containers.quick(SERVICE, 8000)
        first.start()
        with bare_loop(
            pair,
            label=f"{BARE_LABEL}={engine.session}",
            first=f"{gateway()}:{first.host_port()}",
        ):
            for side in (tandem, bare):
                wait_for(partial(call, side.address, side.port), 20, f"{side.name} answers")
            yield Arena((tandem, bare), stamps, pair, containers)


@contextlib.contextmanager
def bare_loop(pair: Pair, *, label: str, first: str) -> Iterator[None]:
    """Run the bare loop with a HAProxy of its own, the same program as in the image."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        haproxy = RealHAProxy(folder, "image")
        script = Path(haproxy.binary)
        # HAProxy reports each server; that must not get into the table.
        script.write_text(script.read_text().rstrip() + " >/dev/null 2>&1\n")

        bind = f"{pair.address}:{BARE_PORT}"
        config = CONFIG.format(admin=haproxy.admin, backend=BACKEND, bind=bind, first=first)
        haproxy.start(config)
        try:
            etcd = f"{pair.address}:2379"
            with _bare_process(folder, etcd, str(haproxy.admin), label, gateway()):
                yield
        finally:
            haproxy.end()


@contextlib.contextmanager
def _bare_process(folder: Path, *arguments: str) -> Iterator[None]:
    """Run bench.bare until the end of the block, from when it is ready."""
    log = folder / "bare.log"
    command = [sys.executable, "-m", "bench.bare", *arguments]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            wait_for(lambda: "ready" in log.read_text(), 10, "the bare loop runs")
            yield
        finally:
            process.terminate()
