"""Workers that reloads made old, on real HAProxies: how many reloads a connection outlives, and
what ends the oldest.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from discover.apply.applier import Applier
from discover.apply.running import Worker
from discover.haproxy.guard import Guard
from discover.haproxy.old_workers import MB, OldWorkers
from discover.haproxy.other_processes import children, memory_bytes
from discover.model.proxy_config import HostPolicy, Process
from sidecar.status.metrics import Metrics
from tests.parts.backend import echo
from tests.parts.configs import LAYOUT, config_of
from tests.parts.haproxy import KINDS, RealHAProxy, running
from tests.parts.ports import free_port
from tests.parts.records import local, snapshot
from tests.parts.wait import wait_for

PLENTY = 1000 * MB


class Site:
    """A tcp service behind a HAProxy that is reloaded for other services."""

    def __init__(self, haproxy: RealHAProxy, backend: int) -> None:
        self.haproxy = haproxy
        self.port = free_port()
        process = Process(None, str(haproxy.admin), 500, None, None)
        self._policy = HostPolicy(process, ("127.0.0.1",), {})
        self._records = [local(1, backend, self.port, "steady")]
        self._applier = Applier(
            haproxy.adapter, haproxy.config, stop=haproxy.stop, metrics=Metrics()
        )
        self._runs: Worker | None = None
        self.reload()
        self.guard = Guard(haproxy.master, lambda _why: None)

    def reload(self) -> None:
        """Have one service more."""
        config = config_of(snapshot(*self._records), self._policy)
        self._runs = self._applier.reload(self._runs, LAYOUT.render(config))
        number = len(self._records) + 1
        self._records.append(local(number, free_port(), free_port(), f"other-{number}"))

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), 10)
        assert is_served(connection)
        return connection

    def watched(self, may_take_bytes: int) -> OldWorkers:
        """Return what ends old workers, without the time that it leaves them."""
        self.metrics = Metrics()
        return OldWorkers(
            self.haproxy.adapter.ask,
            lambda: self.guard.master,
            may_take_bytes=may_take_bytes,
            metrics=self.metrics,
            settled_s=0,
        )

    def workers(self) -> list[int]:
        return sorted(children(self.guard.master))


def is_served(connection: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        connection.sendall(b"hello\n")
        return connection.recv(100) == b"echo\n"
    return False


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    tmp_path.chmod(0o755)
    with echo("echo") as backend, running(tmp_path, request.param) as haproxy:
        site = Site(haproxy, backend)
        with guarded(site.guard):
            yield site


@contextlib.contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    actor = guard.actor()
    thread = threading.Thread(target=actor.run, name="guard")
    thread.start()
    try:
        wait_for(lambda: guard.master, 10, "the guard knows the master")
        yield
    finally:
        actor.interrupt()
        thread.join()


def test_a_busy_connection_outlives_any_number_of_reloads(site: Site) -> None:
    with site.connect() as connection:
        watch = site.watched(PLENTY)
        for number in range(60):
            site.reload()
            watch.look(time.monotonic())
            assert is_served(connection), f"cut by reload {number + 1}"


def test_the_oldest_ends_first_and_it_is_said_what_was_cut(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(3):
            connections.append(stack.enter_context(site.connect()))
            site.reload()
        stack.enter_context(site.connect())
        wait_for(lambda: len(site.workers()) == 4, 10, "four workers")
        one = max(map(memory_bytes, site.workers()))
        assert one > MB

        assert site.watched(one * 3 + MB).look(time.monotonic())
        assert [is_served(connection) for connection in connections] == [True] * 3
        assert site.watched(int(one * 2.5)).look(time.monotonic())
        wait_for(lambda: len(site.workers()) == 3, 10, "one has ended")

        assert [is_served(connection) for connection in connections] == [False, True, True]
        assert is_served(stack.enter_context(site.connect()))
        assert "ended the oldest of 3 old HAProxy workers" in caplog.text
        assert "cut 1 connections pid=" in caplog.text
        assert f"steady:{site.port}=1" in caplog.text
        assert b"tandem_discover_cut_connections_total 1.0" in site.metrics.text()


def test_an_old_worker_that_hangs_is_killed_and_costs_no_other_connection(site: Site) -> None:
    with site.connect() as first:
        site.reload()
        with site.connect() as second:
            [hung] = [pid for pid in site.workers() if pid != max(site.workers())]
            os.kill(hung, signal.SIGSTOP)
            watch = site.watched(0)

            watch.look(time.monotonic())
            watch.look(time.monotonic())
            wait_for(lambda: hung not in site.workers(), 10, "it is gone")

            assert not is_served(first)
            assert is_served(second)
            site.reload()
            assert is_served(second)
