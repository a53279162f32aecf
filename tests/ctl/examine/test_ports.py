"""Ports are called as a client would: what answers, what is closed at once, what nobody has."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ctl.examine.kernel import boot_id, is_own, sysctls
from ctl.examine.ports import why_silent
from ctl.view.doctor.from_here import Port
from tests.parts.ports import free_port


@contextmanager
def answering(said: bytes | None) -> Iterator[int]:
    """Take one connection: say this and close it; None: leave it open until the end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                if said is None:
                    over.wait(10)
                elif said:
                    connection.recv(4096)
                    connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("said", "is_http", "why"),
    [
        (None, False, ""),
        (b"", False, "the connection is closed at once"),
        (b"HTTP/1.1 200 OK\r\n\r\n", True, ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", True, ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", True, "status 503"),
        (b"SSH-2.0\r\n", True, "no HTTP comes back"),
    ],
    ids=str,
)
def test_what_a_port_says(said: bytes | None, is_http: bool, why: str) -> None:
    with answering(said) as port:
        assert why_silent([Port("orders", "127.0.0.1", port, is_http)]) == [why]


def test_nobody_listens() -> None:
    ports = [Port("orders", "127.0.0.1", free_port(), is_http) for is_http in (True, False)]
    assert why_silent(ports) == ["Connection refused"] * 2


def test_the_kernel_tells() -> None:
    found = sysctls(("net.ipv4.ip_forward", "net.ipv4.there_is_none"))

    assert found["net.ipv4.ip_forward"] in (0, 1)
    assert found["net.ipv4.there_is_none"] is None
    assert len(boot_id()) == 36


@pytest.mark.parametrize(
    ("address", "own"), [("127.0.0.1", True), ("192.0.2.1", False), ("", False), ("x y", False)]
)
def test_which_addresses_are_our_own(address: str, own: bool) -> None:
    assert is_own(address) is own
