"""What every test gets: a place among those that run at once, and no thread that outlives it."""

import functools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.parts import leftovers

# Speed is measured in bench/: a machine that is busy makes no property false.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

LEAVE_S = 5.0
HOUSE = Path(__file__).parent.parent
# A module that imports one of these runs containers on this machine's engine, or hears of all that
# run there.
ON_ENGINE = (
    "from tests.parts.engine import",
    "from tests.parts.register import",
    "from tests.parts.served import",
)
SWEPT = pytest.StashKey[list[str]]()


class Together(LoadScopeScheduling):
    """`pytest -n`: what shares the fleet, or the engine, runs one by one; all else beside it."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        if path.startswith("tests/fleet/"):
            return "fleet"

        in_image = "image" in test.partition("[")[2]  # HAProxy of the image is a container
        if path.startswith("tests/e2e/") or in_image or is_on_engine(path):
            return "engine"

        return nodeid


@functools.cache
def is_on_engine(path: str) -> bool:
    text = (HOUSE / path).read_text()
    return any(words in text for words in ON_ENGINE)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    return Together(config, log)


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")  # of `pytest -n`
    swept = [] if is_worker else leftovers.sweep()
    config.stash[SWEPT] = swept
    leftovers.begin()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what a run that was killed had left."""
    swept = config.stash[SWEPT]
    return [f"removed what a killed run left: {', '.join(swept)}"] if swept else []


def pytest_unconfigure() -> None:
    leftovers.end()


@pytest.fixture(scope="session", autouse=True)
def noted_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have the folder of all tests removed if this run is killed."""
    leftovers.note("folder", tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def no_leaked_thread() -> Iterator[None]:
    before = set(threading.enumerate())

    yield

    deadline = time.monotonic() + LEAVE_S
    for thread in set(threading.enumerate()) - before:
        # grpc and the health server end their threads a moment after close() returns.
        thread.join(max(0.0, deadline - time.monotonic()))

    leaked = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not leaked, f"threads left behind: {leaked}"
