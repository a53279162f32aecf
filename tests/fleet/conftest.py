"""One fleet for all of these tests, brought back to all-up before each of them."""

import os
from collections.abc import Iterator

import pytest

from lab.fleet import Fleet
from tests.parts.fleet.invariants import Witness
from tests.parts.fleet.service import FOLDER, Service
from tests.parts.leftovers import note

LAST_LINES = 15


@pytest.fixture(scope="session")
def standing() -> Iterator[Fleet]:
    assert os.geteuid() == 0, (
        "tests of the fleet make network namespaces and engines: run them as root"
    )
    note("fleet", FOLDER)
    with Fleet(FOLDER, say=print) as fleet:
        yield fleet


@pytest.fixture
def fleet(standing: Fleet, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The fleet, with everybody alive and connected and no container.

    pytest shows what it said if a test fails.
    """
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


@pytest.fixture
def service(fleet: Fleet) -> Service:
    return Service(fleet)


@pytest.fixture
def witness(fleet: Fleet) -> Iterator[Witness]:
    """Watches all hosts during a test; to be asked about I4 and I7 in it."""
    with Witness(fleet) as one:
        yield one
