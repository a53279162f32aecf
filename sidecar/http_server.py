"""Answer HTTP calls at a TCP address or a unix socket. Knows no page.

Each call has a thread of its own, which a silent client keeps for five seconds at most.
"""

import contextlib
import errno
import logging
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from catalog.without_modules import as_if_missing, without_modules

# What it needs to be a client over TLS, and to serve files: 4 MB with OpenSSL. A TLS connection to
# an engine is urllib3's, which finds `ssl` by itself.
with as_if_missing("ssl"), without_modules("html", "mimetypes", "shutil"):
    from http.server import BaseHTTPRequestHandler

log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
SILENCE_S = 5.0
PAUSE_S = 0.5  # until it is seen whether a descriptor is free
UNREAD_BYTES_MAX = 1 << 20  # of a body that nobody wants, before the connection is closed on it


@dataclass(frozen=True, slots=True)
class Request:
    """One call; header names are found in any case."""

    method: str
    path: str  # with its query
    headers: Message


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets; `kind` is the Content-Type."""

    status: int
    kind: str
    body: bytes


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


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    timeout = SILENCE_S

    def parse_request(self) -> bool:
        """Answer as soon as the head of a request is read, whatever its method is."""
        if super().parse_request():
            request = Request(self.command, self.path, self.headers)
            self._send(self.server.respond(request))
            self._drain()
        return False  # nothing is left to do for this request

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request, in text: the library's page needs `html`."""
        self._send(Answer(code, TEXT, f"this is no HTTP request: {message}\n".encode()))
        self._drain()

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()

        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _drain(self) -> None:
        """Read what still comes: closing a connection on unread bytes loses the answer."""
        left = UNREAD_BYTES_MAX
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (some := self.connection.recv(65536)):
                left -= len(some)

    def version_string(self) -> str:
        """Return what stands in the Server header."""
        return self.server.name

    def log_message(self, format: str, *args: Any) -> None:
        """Log a call at debug."""
        log.debug(format, *args)
