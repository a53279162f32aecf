"""HAProxy hangs, dies or loses its socket: noticed and mended, with nobody's help, within a
bound.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from discover.haproxy.guard import FACT, Guard
from discover.haproxy.other_processes import children, is_runnable
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from tests.parts.haproxy import KINDS, RealHAProxy, get, running
from tests.parts.ports import free_port
from tests.parts.wait import wait_for

HUNG_S = 15  # row 54 of the fault catalogue
SOCKET_S = 5  # row 55


class Watched:
    """A HAProxy that serves one port, its guard, and somebody who starts it again."""

    def __init__(self, haproxy: RealHAProxy) -> None:
        self.haproxy = haproxy
        self.port = free_port()
        self.health = Health(stuck_after_s=60)
        self.metrics = Metrics()
        self.lost = 0
        mended = self.metrics.counter("mends", "Mends", "trouble")
        guard = Guard(haproxy.master, self._on_lost, health=self.health, mended=mended)
        self.actor = guard.actor()
        self.thread = threading.Thread(target=self.actor.run, name="guard")
        haproxy.start(
            f"global\n    description m1\n    stats socket {haproxy.admin} mode 600 level "
            "admin expose-fd listeners\n"
            "defaults\n    mode http\n    timeout connect 1s\n    timeout client 5s\n    "
            "timeout server 5s\n"
            f"frontend it\n    bind 127.0.0.1:{self.port}\n    http-request return status 200\n"
        )
        wait_for(self.serves, 10, "it serves")

    def _on_lost(self, _why: str) -> None:
        self.lost += 1
        if not self.haproxy.adapter.answers():
            self.haproxy.adapter.start()

    def serves(self) -> bool:
        return get(self.port, timeout_s=1)[0] == 200

    def wait_until_mended(self, bound_s: float, broken: Callable[[], bool]) -> None:
        """Wait until it serves and answers again."""
        wait_for(
            lambda: not broken() and self.serves() and self.haproxy.adapter.answers(),
            bound_s,
            "mended",
        )


@pytest.fixture(params=KINDS)
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    tmp_path.chmod(0o755)
    with running(tmp_path, request.param) as haproxy:
        it = Watched(haproxy)
        it.thread.start()
        try:
            yield it
        finally:
            it.actor.interrupt()
            it.thread.join(5)
            assert not it.thread.is_alive()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("who", ["worker", "master"])
def test_one_that_hangs_is_ended_and_serves_again(watched: Watched, who: str) -> None:
    pids = [pid for pid in watched.haproxy.pids() if is_haproxy(pid)]
    stopped = {"master": pids[:1], "worker": pids[1:]}[who]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)

    began = time.monotonic()
    wait_for(
        lambda: "does not answer" in watched.health.not_ready().get(FACT, ""),
        HUNG_S,
        "/readyz says it",
    )
    watched.wait_until_mended(HUNG_S, lambda: any(alive(pid) for pid in stopped))

    print(f"measured: {who} stopped, serves again after {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began <= HUNG_S
    wait_for(lambda: FACT not in watched.health.not_ready(), HUNG_S, "/readyz says it no more")
    assert b'tandem_mends_total{trouble="hung"} 1.0' in watched.metrics.text()


def is_haproxy(pid: int) -> bool:
    """Not the docker client, whose command line names the same file."""
    return Path(f"/proc/{pid}/comm").read_text().strip() == "haproxy"


def test_a_removed_socket_is_made_anew_by_a_reload_that_loses_nothing(watched: Watched) -> None:
    master = next(pid for pid in watched.haproxy.pids() if is_haproxy(pid))
    watched.haproxy.master.unlink()
    failed: list[str] = []

    def called() -> bool:
        try:
            assert watched.serves()
        except (OSError, AssertionError) as error:
            failed.append(repr(error))
        return watched.haproxy.adapter.answers()

    began = time.monotonic()
    wait_for(called, SOCKET_S, "the socket is back")

    print(f"measured: the socket is back after {time.monotonic() - began:.1f} s")
    assert failed == []
    assert alive(master), "it was reloaded, not started anew"
    assert b'tandem_mends_total{trouble="no_socket"} 1.0' in watched.metrics.text()
    wait_for(lambda: watched.lost > 0, 5, "whoever keeps HAProxy in step looks again")


def test_one_that_is_killed_again_and_again_is_back_each_time(watched: Watched) -> None:
    for _ in range(3):
        old = [pid for pid in watched.haproxy.pids() if is_haproxy(pid)]
        os.kill(old[-1], signal.SIGKILL)  # a worker: its master ends itself
        watched.wait_until_mended(HUNG_S, lambda old=old: any(alive(pid) for pid in old))  # type: ignore[misc]


def test_a_process_that_waits_for_its_turn_is_told_from_one_that_waits_for_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            wait_for(lambda: is_runnable(busy.pid), 10, "it computes")
            assert busy.pid in children(os.getpid())

            os.kill(busy.pid, signal.SIGSTOP)
            wait_for(lambda: not is_runnable(busy.pid), 10, "it is stopped")
        finally:
            busy.kill()
    assert not is_runnable(busy.pid)
