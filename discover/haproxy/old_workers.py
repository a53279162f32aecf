"""End old workers, the oldest first, while they take more memory than they may.

A reload leaves the worker before it until its last connection ends, which may take days; and each
takes the memory of a whole configuration.
"""

import contextlib
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import Unavailable
from discover.haproxy.other_processes import (
    children,
    container_bytes,
    machine_bytes,
    memory_bytes,
    own_number,
    started,
)
from discover.haproxy.replies import rows_of
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.options import number
from sidecar.status.metrics import Metrics
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

MB = 1024 * 1024
MEGABYTES = number(1, 1_000_000, "MB")  # reads OLD_WORKERS_MB
# A master of 2.6 takes no command any more with 214 of them, one of 3.0 ends with 1,200, and all
# connections with it (docs/research/haproxy.md section 1.4).
COUNT_MAX = 150
SETTLED_S = 30.0  # until then most end by themselves: `timeout client-fin` and http-keep-alive
LOOK_S = 10.0  # between two looks while there are any; else only a reload is a reason to look
_PID = re.compile(r"^Pid: (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Worker:
    """One worker. In order of age, the oldest first."""

    started: int
    pid: int
    own: int  # its pid as HAProxy's master knows it
    memory: int


def may_take(megabytes: int | None) -> int:
    """Return the bytes that old workers may take together: as set, or what this machine can bear.

    That is a tenth of its memory, or half of what this container may have.
    """
    if megabytes is not None:
        return megabytes * MB

    limit = container_bytes()
    share = machine_bytes() // 10
    return share if limit is None else min(share, limit // 2)


def old_of(workers: Sequence[Worker], current: int) -> Sequence[Worker]:
    """Return the workers before the current one, the oldest first; none if that is not there.

    One that starts just now came after it.
    """
    [*found] = (worker for worker in workers if worker.own == current)
    if len(found) != 1:
        return ()
    return sorted(worker for worker in workers if worker.started < found[0].started)


def surplus(
    workers: Sequence[Worker], may_take_bytes: int, count_max: int = COUNT_MAX
) -> Sequence[Worker]:
    """Return the workers that have to end so that the others are few enough and small enough."""
    kept = list(workers)
    while kept and (
        len(kept) > count_max or sum(worker.memory for worker in kept) > may_take_bytes
    ):
        kept.pop(0)
    return workers[: len(workers) - len(kept)]


class OldWorkers:
    """The actor that looks after each reload, and every ten seconds while there are old workers.

    It ends them by signals, so it has to stand where HAProxy's processes can be seen; elsewhere it
    does nothing.
    """

    def __init__(
        self,
        ask: Callable[[str], str],
        master: Callable[[], int],
        *,
        may_take_bytes: int,
        metrics: Metrics,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._ask = ask
        self._master = master
        self._may_take = may_take_bytes
        self._settled_s = settled_s
        self._metrics = _Metrics(metrics)
        self._wake = Trigger()
        self._stop = threading.Event()
        self._since_s: Mapping[tuple[int, int], float] = {}  # by pid and start: when seen first
        self._told: set[tuple[int, int]] = set()

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("old workers", self.run, self.interrupt)

    def run(self) -> None:
        """Look until interrupted."""
        while not self._stop.is_set():
            there_are_none = self._master() != 0 and not self.look(time.monotonic())
            self._wake.wait(None if there_are_none else LOOK_S)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self.reloaded("stop")

    def reloaded(self, why: str) -> None:
        """Look soon: the master went, or executed itself anew."""
        self._wake.fire(why)

    def look(self, now_s: float) -> bool:
        """End what is too much; return whether to look again soon."""
        workers = self._workers()
        if workers is None:
            return True

        since_s = self._since_s
        self._since_s = {
            (w.pid, w.started): since_s.get((w.pid, w.started), now_s) for w in workers
        }
        self._told &= self._since_s.keys()
        self._metrics.show(workers)

        settled = [
            worker
            for worker in workers
            if now_s - self._since_s[worker.pid, worker.started] >= self._settled_s
        ]
        # Those that just became old are left alone, but they are some of the many.
        young = len(workers) - len(settled)
        for worker in surplus(settled, self._may_take, COUNT_MAX - young):
            self._end(worker, settled)
        return bool(workers)

    def _workers(self) -> Sequence[Worker] | None:
        """Return the old workers; None if HAProxy does not answer now."""
        try:
            current = _PID.search(self._ask("@1 show info"))
        except Unavailable:
            return None
        if current is None:
            return None

        pids = children(self._master())
        everyone = [Worker(started(pid), pid, own_number(pid), memory_bytes(pid)) for pid in pids]
        return old_of(everyone, int(current[1]))

    def _end(self, worker: Worker, among: Sequence[Worker]) -> None:
        key = worker.pid, worker.started
        again = key in self._told
        cut = {} if again else self._connections(worker)

        # HAProxy itself ends a worker by SIGTERM that is one too many for mworker-max-reloads; one
        # that did not hear it hangs.
        with contextlib.suppress(OSError):
            os.kill(worker.pid, signal.SIGKILL if again else signal.SIGTERM)
        if again:
            return

        self._told.add(key)
        self._metrics.cut.inc(sum(cut.values()))
        log.warning(
            "ended the oldest of %d old HAProxy workers, as they take %d MB and may take %d "
            "(OLD_WORKERS_MB), or as there may be %d; cut %d connections %s",
            len(among),
            sum(other.memory for other in among) // MB,
            self._may_take // MB,
            COUNT_MAX,
            sum(cut.values()),
            Details(pid=worker.own, **cut),
        )

    def _connections(self, worker: Worker) -> dict[str, int]:
        """Return how many connections an old worker has, by listener."""
        try:
            answer = self._ask(f"@!{worker.own} show stat -1 1 -1")
        except Unavailable:
            return {}

        rows = rows_of(answer, "pxname", "scur", separator=",")
        return {name: int(count) for name, count in rows if count.isdigit() and int(count)}


class _Metrics:
    """What is told of old workers."""

    def __init__(self, metrics: Metrics) -> None:
        self._count = metrics.gauge("discover_old_workers", "Workers from before the last reload")
        self._bytes = metrics.gauge("discover_old_workers_bytes", "The memory that they take")
        self.cut = metrics.counter(
            "discover_cut_connections",
            "Connections cut as old workers took too much memory or were too many",
        )

    def show(self, workers: Sequence[Worker]) -> None:
        """Tell of these."""
        self._count.set(len(workers))
        self._bytes.set(sum(worker.memory for worker in workers))
