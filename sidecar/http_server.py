"""Answer HTTP calls at a TCP address or a unix socket. Knows no page.

Each call has a thread of its own, which a silent client keeps for five seconds at most. Python's
http.server would read a head as if it were a mail, which takes a megabyte.
"""

import contextlib
import errno
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingMixIn
from typing import Any

log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
SILENCE_S = 5.0
PAUSE_S = 0.5  # until it is seen whether a descriptor is free
LINE_MAX = 65_536  # bytes
HEADERS_MAX = 100
UNREAD_BYTES_MAX = 1 << 20  # of a body that nobody wants, before the connection is closed on it


@dataclass(frozen=True, slots=True)
class Request:
    """One call."""

    method: str
    path: str  # with its query
    headers: Mapping[str, str]  # names in lower case; of equal ones, the first


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets; `kind` is the Content-Type."""

    status: int
    kind: str
    body: bytes


_NO_REQUEST = Answer(400, TEXT, b"this is no HTTP request\n")


class HttpServer(ThreadingMixIn, TCPServer):
    """Listens from its creation on, and answers while `run` runs.

    `name` stands in the Server header.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, place: tuple[str, int] | Path, respond: Callable[[Request], Answer], *, name: str
    ) -> None:
        self.respond = respond
        self.name = name
        self._ending = threading.Event()
        self.address_family = _family(place)
        address = place if isinstance(place, tuple) else str(place)
        super().__init__(address, _Handler)  # type: ignore[arg-type]  # a unix socket's is a text

    def run(self) -> None:
        """Answer until `end`."""
        while not self._ending.is_set():
            self.handle_request()

        self.server_close()

    def end(self) -> None:
        """Make `run` and `handle_request` return, from any thread."""
        self._ending.set()
        # Whatever waits for clients on a socket is woken when that is shut down.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a client; without a free descriptor, leave it in the queue for a while."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno != errno.EINVAL:  # which is what `end` does to the socket
                self._ending.wait(PAUSE_S)
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a mistake of ours, but not a client that did not wait for its answer."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            caller = client_address or self.server_address
            log.exception("cannot answer a request from %s", caller)


def _family(place: tuple[str, int] | Path) -> socket.AddressFamily:
    if isinstance(place, Path):
        return socket.AF_UNIX

    return socket.AF_INET6 if ":" in place[0] else socket.AF_INET


class _Handler(StreamRequestHandler):
    server: HttpServer
    timeout = SILENCE_S

    def handle(self) -> None:
        """Answer one request, whatever its method is."""
        request = self._read()
        answer = self.server.respond(request) if request else _NO_REQUEST
        self._send(answer, has_body=request is None or request.method != "HEAD")
        self._drain()

    def _read(self) -> Request | None:
        """Return the head of the request; None if it is none."""
        words = self._line().split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return None

        headers: dict[str, str] = {}
        for _ in range(HEADERS_MAX):
            if not (line := self._line()):
                method, path, _ = words
                log.debug('"%s"', " ".join(words))
                return Request(method, path, headers)

            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), value.strip())
        return None

    def _line(self) -> str:
        line = self.rfile.readline(LINE_MAX)
        return line.decode("latin-1").rstrip("\r\n")

    def _send(self, answer: Answer, *, has_body: bool) -> None:
        head = (
            f"HTTP/1.0 {answer.status} {HTTPStatus(answer.status).phrase}",
            f"Server: {self.server.name}",
            time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
            f"Content-Type: {answer.kind}",
            f"Content-Length: {len(answer.body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        lines = "".join(f"{line}\r\n" for line in (*head, ""))
        self.wfile.write(lines.encode("latin-1") + (answer.body if has_body else b""))

    def _drain(self) -> None:
        """Read what still comes: closing a connection on unread bytes loses the answer."""
        left = UNREAD_BYTES_MAX
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (some := self.connection.recv(65536)):
                left -= len(some)
