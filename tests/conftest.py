"""What every test gets: no thread may outlive the test that started it."""

import threading
import time
from collections.abc import Iterator

import pytest

LEAVE_S = 5.0


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
