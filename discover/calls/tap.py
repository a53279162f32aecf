"""The calls of a service for whoever asks, in batches, from HAProxy's ring.

The ring is read only while somebody asks: a question that stands is answered twice a second, and
that is how it is known to stand. A call that HAProxy does not log costs it nothing, so it is not in
the ring either: to have it there takes a reload, and another one to end that.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from catalog.asking.ask import Ask
from catalog.asking.inbox import Standing
from catalog.asking.responder import Found
from catalog.errors import Rejected, Unavailable
from discover.answers.proxy_facts import all_listeners, listeners_about
from discover.apply.running import Running
from discover.calls.batch import ERRORS, Batch
from discover.calls.call_line import call_of, is_call, listener_of
from sidecar.actors import Actor
from sidecar.trigger import Trigger

# Who has not asked for so long is gone.
KEEP_S = 3.0
# The first answer waits so long for HAProxy's, to say truly that calls are seen from then on.
BEGIN_S = 0.2
RETRY_S = 0.5
# All calls are kept for so long after the last question: who asks again soon costs no reload.
LINGER_S = 60.0
# Lines between two answers; of a busier HAProxy the oldest are left out, and counted.
LINES_MAX = 5000
# What HAProxy says to `show events` of a ring that it does not have.
NO_RING = b"No such event sink"


class Lines(Protocol):
    """Gives lines of a worker as they come, and an empty one now and then. Raises Unavailable."""

    def __call__(self, *, from_now: bool) -> Iterator[bytes]:
        """Begin now, or with the oldest that the worker has kept."""


class Taps:
    """Reads the ring in a thread of its own; `answer` is for the thread that answers."""

    def __init__(
        self, running: Callable[[], Running], lines: Lines, keep_all: Callable[[bool], None]
    ) -> None:
        self._running = running
        self._lines = lines
        self._keep_all = keep_all
        self._awake = Trigger()
        self._over = threading.Event()
        # Changed by the reader; who answers only takes lines.
        self._read: deque[bytes] = deque(maxlen=LINES_MAX)
        self._came = 0
        self._is_reading = threading.Event()
        self._why = "HAProxy has not answered yet"
        self._keeps_all = False
        # Changed by who answers.
        self._all_asked_s = float("-inf")
        self._asked_s = float("-inf")
        self._taken = 0
        self._missed = 0
        self._batches: dict[str, tuple[float, Batch]] = {}  # by question, with when it was asked

    def actor(self) -> Actor:
        """Return the reader as an actor."""
        return Actor("calls", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._over.set()
        self._awake.fire("stop")

    def run(self) -> None:
        """Read whenever somebody asks."""
        while not self._over.is_set():
            self._awake.wait(LINGER_S if self._keeps_all else None)
            self._keep_what_is_wanted()
            before: str | None = None
            while self._is_wanted():
                worker = self._worker()
                try:
                    # A worker that came meanwhile has seen nothing that was read before.
                    self._follow(worker, from_now=before in (None, worker))
                    before = worker
                except Unavailable as error:
                    self._why = str(error)
                    self._is_reading.clear()
                    self._over.wait(RETRY_S)
            self._is_reading.clear()

    def _keep_what_is_wanted(self) -> None:
        """Have HAProxy keep all calls, or no longer."""
        wanted = time.monotonic() < self._all_asked_s + LINGER_S
        if wanted != self._keeps_all:
            self._keeps_all = wanted
            self._keep_all(wanted)

    def _is_wanted(self) -> bool:
        return not self._over.is_set() and time.monotonic() < self._asked_s + KEEP_S

    def _worker(self) -> str | None:
        """Return the marker of the worker that runs."""
        worker = self._running().worker
        return worker.marker if worker else None

    def _follow(self, worker: str | None, *, from_now: bool) -> None:
        """Read until nobody asks, another worker runs, or HAProxy ends it."""
        for line in self._lines(from_now=from_now):
            if line.startswith(NO_RING):
                raise Unavailable("HAProxy keeps no calls: the template in use has no block calls")

            self._is_reading.set()
            if is_call(line):
                self._read.append(line)
                self._came += 1
            self._keep_what_is_wanted()
            if not self._is_wanted() or self._worker() != worker:
                return

    def answer(self, asked: Standing) -> Found:
        """Return the calls since the last answer; the same answer again if there were none."""
        self._asked_s = now_s = time.monotonic()
        if not self._is_reading.is_set():
            self._awake.fire("asked")
            self._is_reading.wait(BEGIN_S)

        batch = self._batch_of(asked, now_s)
        running, what = self._running(), asked.ask.what
        listeners = listeners_about(running, what) if what else all_listeners(running)
        if running.config:
            batch.look_at(listeners, running.config.process)
        if batch.wants_all:
            self._all_asked_s = now_s

        self._hand_out()
        return Found(batch.tell(is_reading=self._is_reading.is_set(), why=self._why))

    def _batch_of(self, asked: Standing, now_s: float) -> Batch:
        """Return what is not told of a question; those that are gone are forgotten."""
        stand = {id_: it for id_, it in self._batches.items() if now_s < it[0] + KEEP_S}
        _, batch = stand.get(asked.id, (now_s, _begun(asked.ask)))
        self._batches = {**stand, asked.id: (now_s, batch)}
        return batch

    def _hand_out(self) -> None:
        """Give each line that came to every question that is about it."""
        batches = [batch for _, batch in self._batches.values()]
        came = self._came
        for _ in range(len(self._read)):
            line = self._read.popleft()
            self._taken += 1
            name = listener_of(line)
            wanting = [batch for batch in batches if batch.wants(name)]
            if not wanting:
                continue

            try:
                call = call_of(line)
            except Rejected:
                continue  # a template of the operator's own may write anything
            for batch in wanting:
                batch.take(call)

        missed = max(self._missed, came - self._taken)
        for batch in batches:
            batch.left_out += missed - self._missed
        self._missed = missed


def _begun(ask: Ask) -> Batch:
    return Batch(of_all=not ask.what, only_errors=ERRORS in ask.arguments)
