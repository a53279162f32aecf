"""Probing real sockets: what listens, what does not yet, and what only pretends to."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from register.ready import probe
from register.ready.probe import Prober
from register.ready.readiness import Started, Target
from tests.parts.wait import wait_for

BLIND_S = 0.5


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, int]]:
    """Accept, and keep every connection open."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        yield server.getsockname()


@contextlib.contextmanager
def hanging_up() -> Iterator[tuple[str, int]]:
    """Accept and close at once, as Docker's userland proxy does before the program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=serve, name="hanging-up")
        thread.start()
        try:
            yield server.getsockname()
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def free_address() -> Iterator[tuple[str, int]]:
    """An address of our own on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()


@contextlib.contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """An address that answers nothing: the kernel drops what does not fit a full backlog."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()


class Running:
    """A prober in its thread, and when it decided."""

    def __init__(self, blind_s: float = probe.BLIND_S) -> None:
        self.decided = threading.Event()
        self.prober = Prober(self.decided.set, blind_s=blind_s)
        self._thread = threading.Thread(target=self.prober.run, name="probe")

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.prober.interrupt()
        self._thread.join(5)
        assert not self._thread.is_alive()


def target(
    direct: tuple[str, int] | None, announced: tuple[str, int], started_ns: int = 1
) -> Target:
    return Target(Started("a", started_ns, 80), (direct,) if direct else (), announced)


def test_a_program_that_listens_is_found_at_once() -> None:
    with Running() as running, listening() as address:
        began = time.monotonic()

        running.prober.set_targets((target(address, address),))

        assert running.decided.wait(5)
        assert time.monotonic() - began < 0.1  # a few milliseconds on an idle machine
        assert dict(running.prober.results) == {Started("a", 1, 80): "accepted"}


def test_a_late_listener_is_not_ready_before_it_listens() -> None:
    with Running() as running, socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        running.prober.set_targets((target(late.getsockname(), late.getsockname()),))

        assert not running.decided.wait(0.5)
        late.listen()

        assert running.decided.wait(2)


@pytest.mark.parametrize(
    ("waited_s", "pause_s"), [(0.0, 0.001), (1.0, 0.1), (600.0, 60.0), (86_400.0, 300.0)]
)
def test_a_silent_port_is_probed_ever_more_rarely(waited_s: float, pause_s: float) -> None:
    assert probe.pause_s(waited_s) == pytest.approx(pause_s)


def test_a_port_whose_address_changes_is_probed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PAUSE_MIN_S", 300.0)
    with Running() as running, free_address() as closed, listening() as address:
        running.prober.set_targets((target(closed, closed),))
        assert not running.decided.wait(0.2)

        running.prober.set_targets((target(address, address),))

        assert running.decided.wait(5)


def test_an_accept_of_the_announced_address_that_is_closed_at_once_proves_nothing() -> None:
    with Running(BLIND_S) as running, hanging_up() as proxy:
        running.prober.set_targets((target(None, proxy),))

        assert not running.decided.wait(3 * BLIND_S)


def test_a_refusal_by_the_container_itself_beats_an_accept_of_the_proxy() -> None:
    with Running() as running, listening() as proxy, free_address() as own:
        running.prober.set_targets((target(own, proxy),))

        assert not running.decided.wait(2 * probe.HELD_S)


def test_the_announced_address_is_left_alone_while_the_container_answers() -> None:
    with (
        Running() as running,
        socket.socket() as late,
        socket.create_server(("127.0.0.1", 0)) as proxy,
    ):
        late.bind(("127.0.0.1", 0))
        proxy.setblocking(False)
        running.prober.set_targets((target(late.getsockname(), proxy.getsockname()),))
        assert not running.decided.wait(5 * probe.DIRECT_S)
        late.listen()

        assert running.decided.wait(2)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_a_container_that_says_nothing_is_asked_at_its_announced_address() -> None:
    with Running() as running, silent() as own, listening() as announced:
        running.prober.set_targets((target(own, announced),))

        assert running.decided.wait(probe.CONNECT_S)
        assert dict(running.prober.results) == {Started("a", 1, 80): "accepted"}


def test_an_accept_of_the_announced_address_that_is_held_counts() -> None:
    with Running() as running, listening() as announced:
        began = time.monotonic()

        running.prober.set_targets((target(None, announced),))

        assert running.decided.wait(5)
        assert time.monotonic() - began >= probe.HELD_S


def test_a_program_that_greets_through_the_announced_address_counts_at_once() -> None:
    with Running() as running, socket.create_server(("127.0.0.1", 0)) as server:
        running.prober.set_targets((target(None, server.getsockname()),))
        connection, _ = server.accept()
        with connection:
            connection.send(b"220 ready\r\n")

            assert running.decided.wait(probe.HELD_S)


def test_what_cannot_be_seen_is_published_unprobed_after_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Running(BLIND_S) as running, silent() as address:
        began = time.monotonic()

        running.prober.set_targets((target(address, address),))

        assert running.decided.wait(10)
        assert time.monotonic() - began >= BLIND_S
        assert dict(running.prober.results) == {Started("a", 1, 80): "unprobed"}
    assert "cannot probe the port from here" in caplog.text


def test_a_result_lives_as_long_as_its_target() -> None:
    with Running() as running, listening() as address:
        running.prober.set_targets((target(address, address),))
        assert running.decided.wait(5)

        running.prober.set_targets((target(address, address, started_ns=2),))

        wait_for(
            lambda: list(running.prober.results) == [Started("a", 2, 80)],
            5,
            "the result of the new start",
        )


def test_many_at_once() -> None:
    with Running() as running, listening() as address, free_address() as closed:
        many = [Target(Started("a", 1, port), (address,), address) for port in range(1, 200)]
        none = [Target(Started("b", 1, port), (closed,), closed) for port in range(1, 200)]

        running.prober.set_targets((*none, *many))

        wait_for(lambda: len(running.prober.results) == len(many), 5, "all that listen are found")


def test_interrupting_before_it_ran_and_after_it_ended_is_harmless() -> None:
    prober = Prober(lambda: None)
    prober.interrupt()

    prober.run()
    prober.interrupt()
    prober.set_targets(())

    assert not prober.results
