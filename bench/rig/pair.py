"""Run a pair from the images, and read its counters and ports."""

import contextlib
import os
import socket
from collections.abc import Iterator

from discover.haproxy.ports import bridge_gateway
from tests.parts.engine import Engine, Pair, fetch

TAG = os.environ.get("BENCH_TAG", "latest")
# in the command line of each sidecar's process
DISCOVER = "bin/docker-discover"
REGISTER = "bin/docker-register"

RELOADS = "tandem_discover_reloads_total"
RELOAD_SECONDS = "tandem_discover_reload_seconds"
OLD_WORKERS = "tandem_discover_old_workers"


def gateway() -> str:
    """Return the Docker bridge's own address.

    Published ports are reached there without the userland proxy.
    """
    address = bridge_gateway()
    assert address, "this machine has no docker0: the bench needs Docker's default bridge"
    return address


class TaggedPair(Pair):
    """A pair from the images with the tag in BENCH_TAG: two builds can be compared."""

    tag = f":{TAG}"


@contextlib.contextmanager
def pair_of(engine: Engine, *, split: bool = False, **discover: str) -> Iterator[Pair]:
    """Run a pair that publishes ports on an address that is not loopback, as a host does."""
    with _free_pair(engine, discover, split) as pair:
        yield pair


def _free_pair(engine: Engine, discover: dict[str, str], split: bool) -> Pair:
    """Return a pair at an address that no other test uses."""
    while True:
        pair = TaggedPair(
            engine,
            register={"HOST_IP": gateway()},
            discover=discover,
            split=split,
        )
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind((pair.address, 1936))
            return pair


def metric(pair: Pair, name: str, *, port: int = 9302) -> float:
    """Return a counter of a sidecar, all its labels summed; 0 if there is none of that name."""
    total = 0.0
    for line in fetch(pair.address, port, "/metrics").text.splitlines():
        labelled_name, _, _ = line.partition(" ")
        bare_name, _, _ = labelled_name.partition("{")
        if bare_name == name:
            *_, value = line.split()
            total += float(value)
    return total


def listens(pair: Pair, port: int) -> bool:
    """Whether a pair's HAProxy listens on a port."""
    try:
        connection = socket.create_connection((pair.address, port), timeout=1)
    except ConnectionRefusedError:
        return False

    connection.close()
    return True
