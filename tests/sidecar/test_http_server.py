"""HTTP calls at a unix socket: each is answered, whatever its method and its body."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from sidecar.http_server import TEXT, Answer, HttpServer, Request


def echo(request: Request) -> Answer:
    seen = f"{request.method} {request.path} {request.headers.get('host', '')}"
    return Answer(200, TEXT, seen.encode())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "socket"
    server = HttpServer(path, echo, name="test")
    thread = threading.Thread(target=server.run)
    thread.start()
    yield path
    server.end()
    thread.join(5)
    assert not thread.is_alive()


def ask(place: Path, text: bytes) -> tuple[str, str]:
    """Return the head and the body of the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(place))
        client.sendall(text)
        seen = b""
        while some := client.recv(65536):
            seen += some
    head, _, body = seen.decode().partition("\r\n\r\n")
    return head, body


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "BREW"])
def test_every_method_is_answered(place: Path, method: str) -> None:
    head, body = ask(place, f"{method} /a?b HTTP/1.1\r\nHost: web\r\n\r\n".encode())

    assert head.startswith("HTTP/1.0 200 ")
    assert body == f"{method} /a?b web"
    assert {"Server: test", "Connection: close", "Cache-Control: no-store"} <= set(
        head.splitlines()
    )


def test_head_has_no_body(place: Path) -> None:
    head, body = ask(place, b"HEAD / HTTP/1.0\r\n\r\n")

    assert "Content-Length: 7" in head
    assert body == ""


def test_a_body_that_nobody_wants_does_not_take_the_answer_away(place: Path) -> None:
    sent = b"x" * 500_000
    head = f"POST / HTTP/1.0\r\nContent-Length: {len(sent)}\r\n\r\n".encode()

    assert ask(place, head + sent)[1] == "POST / "


@pytest.mark.parametrize(
    ("sent", "head", "body"),
    [
        (b"GET / HTTP/x\r\n\r\n", "", "this is no HTTP request: Bad request version ('HTTP/x')\n"),
        (b"GET / HTTP/2.0\r\n\r\n", "", "this is no HTTP request: Invalid HTTP version (2.0)\n"),
        (b"nonsense\r\n\r\n", "", "this is no HTTP request: Bad request syntax ('nonsense')\n"),
        (
            b"GET / HTTP/1.0\r\n" + b"a: b\r\n" * 101,
            "HTTP/1.0 431 Request Header Fields Too Large",
            "this is no HTTP request: Too many headers\n",
        ),
    ],
)
def test_what_is_no_request_gets_an_error(place: Path, sent: bytes, head: str, body: str) -> None:
    seen = "".join(ask(place, sent))

    assert seen.startswith(head)
    assert seen.endswith(body)


def test_headers_are_found_in_any_case_without_the_spaces_before_them(place: Path) -> None:
    _, body = ask(place, b"GET / HTTP/1.1\r\nhOST:   web\r\nHost: other\r\n\r\n")

    assert body == "GET / web"


def test_the_answer_has_the_time(place: Path) -> None:
    head, _ = ask(place, b"GET / HTTP/1.0\r\n\r\n")
    [date] = [line for line in head.splitlines() if line.startswith("Date: ")]

    seen = parsedate_to_datetime(date.removeprefix("Date: "))
    assert abs((datetime.now(UTC) - seen).total_seconds()) < 60
