"""What tests do with a store: put many values, and read a watch in a thread of its own."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from catalog.errors import Unavailable
from catalog.store import CHANGES_MAX, Batch, Event, Put, Store, Watch
from tests.parts.records import PREFIX
from tests.parts.wait import wait_for


class Reader:
    """Reads a watch in a thread of its own; what it brings and how it ends can be waited for."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.error: Exception | None = None
        self._batches: queue.Queue[Batch] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="reader")
        self._thread.start()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.watch.cancel()
        assert self.ends_within(10), "the watch does not end after cancel"

    def batch(self, within_s: float = 10.0) -> Batch:
        """Return the next batch."""
        try:
            return self._batches.get(timeout=within_s)
        except queue.Empty:
            raise AssertionError(
                f"no batch within {within_s} s; the watch ended with {self.error!r}"
            ) from None

    def events(self, count: int, within_s: float = 10.0) -> list[Event]:
        """Return the events of the next batches, at least so many."""
        events: list[Event] = []
        deadline = time.monotonic() + within_s
        while len(events) < count:
            events += self.batch(max(0.0, deadline - time.monotonic())).events
        return events

    def ends_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for batch in self.watch:
                self._batches.put(batch)
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.error = error


def wait_until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Return once the condition holds; Unavailable counts as not yet."""

    def holds() -> bool:
        try:
            return condition()
        except Unavailable as error:
            raise ConnectionError(error) from error  # wait_for() goes on at an OSError

    wait_for(holds, within_s, "what the test waits for")


def put_all(store: Store, values: Mapping[str, bytes]) -> None:
    """Put many values below the prefix, in as few transactions as etcd takes."""
    now = {entry.key: entry.mod_revision for entry in store.list(PREFIX).entries}
    keys = sorted(values)
    for start in range(0, len(keys), CHANGES_MAX):
        some = keys[start : start + CHANGES_MAX]
        store.write([Put(key, values[key], expected=now.get(key, 0)) for key in some], lease=0)
