"""One fleet for all of these tests, brought back to all-up before each of them."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load import Load
from catalog.keys import CONTAINER_SHORT
from lab.fleet import Fleet
from lab.host import Host
from lab.wait import wait_for
from tests.fleet.model import Witness, settle

FOLDER = Path(__file__).parent.parent.parent / ".run" / "fleet"
_ports = itertools.count(8101)
CALLED_S = 20.0
LAST_LINES = 15


@pytest.fixture(scope="session")
def standing() -> Iterator[Fleet]:
    assert os.geteuid() == 0, (
        "tests of the fleet make network namespaces and engines: run them as root"
    )
    with Fleet(FOLDER, say=print) as fleet:
        yield fleet


@pytest.fixture
def fleet(standing: Fleet, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The fleet, with everybody alive and connected and no container. pytest shows what it said if a test fails."""
    standing.mend()
    before = {process.log_file: len(process.log) for process in standing.processes}
    standing.note(f"--- {request.node.name}")
    yield standing
    for when_s, what in standing.log[-20:]:
        print(f"{when_s:8.2f} {what}")
    for process in standing.processes:
        if process.name in ("register", "discover"):
            print(f"--- {process.log_file.parent.name}: {process.name}")
            print("\n".join(process.log[before[process.log_file] :].splitlines()[-LAST_LINES:]))


class Service:
    """One service with a port of its own, and what callers on each host see of it."""

    def __init__(self, fleet: Fleet, mode: str = "http") -> None:
        self.fleet = fleet
        self.port = next(_ports)
        self.name = f"s{self.port}"
        self.mode = mode

    def run(self, host: Host, *flags: str, **environment: str) -> str:
        """Start one more container of it; returns its full id."""
        return host.whoami(self.name, self.port, *flags, SERVICE_MODE=self.mode, **environment)

    def run_on(self, *hosts: Host, **environment: str) -> list[str]:
        """Start a container on each host, and return when every host calls all of them."""
        ids = [self.run(host, **environment) for host in hosts]
        self.wait_answered_by(*ids)
        settle(self.fleet)
        return ids

    def answered_by(self, host: Host, calls: int = 8) -> set[str]:
        """Return the short ids of who answers calls from a host; raises OSError, also for a status that is not 200."""
        return {self.call(host) for _ in range(calls)}

    def call(self, host: Host) -> str:
        reply = host.get(self.port)
        if reply.status != 200 or reply.words[0] != self.name:
            raise OSError(f"{host.name}: {reply}")
        return reply.words[1]

    def wait_answered_by(
        self, *ids: str, hosts: list[Host] | None = None, within_s: float = CALLED_S
    ) -> None:
        """Return when these and only these answer, on all hosts."""
        wanted = {each[:CONTAINER_SHORT] for each in ids}
        for host in hosts or self.fleet.hosts:
            wait_for(
                lambda at=host: self.answered_by(at) == wanted,  # type: ignore[misc]
                within_s,
                f"{self.name} on {host.name} is answered by {sorted(wanted)}",
            )

    @contextlib.contextmanager
    def load(self, *hosts: Host, rate: float = 40) -> Iterator[list[Load]]:
        """Call it from these hosts meanwhile, on new connections and on kept ones."""
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(host.load(self.port, self.name, rate=rate)) for host in hosts
            ]


@pytest.fixture
def service(fleet: Fleet) -> Service:
    return Service(fleet)


@pytest.fixture
def witness(fleet: Fleet) -> Iterator[Witness]:
    """Watches all hosts during a test; to be asked about I4 and I7 in it."""
    with Witness(fleet) as one:
        yield one
