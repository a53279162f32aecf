"""What every test gets: a place among those that run at once, and no thread that outlives it."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.parts.engine import Engine, Pair
from tests.parts.register import Register

LEAVE_S = 5.0
ON_ENGINE = (Engine, Pair, Register)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a thing of this machine; `make test` runs a group beside the others."""
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str | None:
    """Return who shares with this test: the machine's engine, or the fleet; None: nobody."""
    folders = item.path.parts
    if "fleet" in folders:
        return "fleet"
    known = list(vars(item.module).values()) if isinstance(item, pytest.Function) else []
    in_image = "image" in item.name.partition("[")[2]  # HAProxy of the image is a container
    return "engine" if "e2e" in folders or in_image or any(each in known for each in ON_ENGINE) else None


@pytest.fixture(autouse=True)
def no_leaked_thread() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + LEAVE_S
    for thread in set(threading.enumerate()) - before:
        # grpc and the health server end their threads a moment after close() returns
        thread.join(max(0.0, deadline - time.monotonic()))
    leaked = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not leaked, f"threads left behind: {leaked}"
