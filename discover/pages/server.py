"""Answer callers whose request no service can: HAProxy sends them on to a unix socket that shows these pages alone."""

import logging
import socket
import stat
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from discover.model.config import Listener, ProxyConfig
from discover.model.empty_services import Empty
from discover.model.http_routes import port_of
from discover.pages.text import HTML, TEXT, Page, empty, host_of, unknown
from sidecar.actors import Actor

log = logging.getLogger(__name__)

SILENCE_S = 5.0
LOOK_S = 0.01  # for names that are near, for each page ...
LOOKS = 5  # ... and in a second: a flood of questions must not take the processor from what matters
KEPT = 1000  # pages, until something changes
UNREAD_BYTES_MAX = 1 << 20  # of a body that nobody wants, before the connection is closed on it


class Knowing:
    """What the pages are about: the configuration that runs, and how services were that are empty now."""

    def __init__(
        self,
        config: Callable[[], ProxyConfig | None],
        empty_since: Callable[[Listener], Empty | None],
    ) -> None:
        self._config, self._empty_since = config, empty_since
        self._looks = (0.0, 0)
        self._unknown: tuple[ProxyConfig | None, dict[str, Page]] = (None, {})

    def page(self, host: str, name: str) -> Page:
        """Return the answer to a request for a host that HAProxy has this backend for; an empty name is none."""
        host, config = host_of(host), self._config()
        if config is not None and name:
            for listener in config.listeners:
                if listener.name == name:
                    return self._empty(host, listener)
        return self._not_known(host, config)

    def _not_known(self, host: str, config: ProxyConfig | None) -> Page:
        """Return the page for a host that leads nowhere; who asks again is told the same without another look."""
        if self._unknown[0] is not config:
            self._unknown = (config, {})
        known = self._unknown[1]
        if (page := known.get(host)) is None:
            keys = (
                (key for listener in config.listeners for key in listener.routes) if config else ()
            )
            has_time = self._clock()
            tcp = (
                (listener.service for listener in config.listeners if listener.mode == "tcp")
                if config
                else ()
            )
            page = unknown(
                host, port_of(config.process.door if config else None), keys, has_time, tcp
            )
            if has_time() and len(known) < KEPT:
                known[host] = page
        return page

    def _empty(self, host: str, listener: Listener) -> Page:
        last = self._empty_since(listener)
        since = _moment(last.since_s) if last else None
        return empty(host, listener, since=since, last=last.listener if last else None)

    def _clock(self) -> Callable[[], bool]:
        """Return whether there is still time to look for names."""
        now_s = time.monotonic()
        second, count = self._looks
        self._looks = (second, count + 1) if now_s < second + 1 else (now_s, 1)
        until_s = now_s + (LOOK_S if self._looks[1] <= LOOKS else 0)
        return lambda: time.monotonic() < until_s


def pages(path: Path, knowing: Knowing) -> Actor:
    """Return the actor that answers at a unix socket; a socket that an earlier life left is replaced."""
    server = _Server(path, _handler(knowing))
    return Actor("pages", server.run, server.end)


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, handler: type[BaseHTTPRequestHandler]) -> None:
        self._ending = threading.Event()
        path.unlink(missing_ok=True)
        super().__init__(str(path), handler)  # type: ignore[arg-type]
        # HAProxy's worker is another user, and everybody may see these pages; its own sockets beside are root's alone.
        path.chmod(0o666)
        path.parent.chmod(stat.S_IMODE(path.parent.stat().st_mode) | stat.S_IXOTH)

    def server_bind(self) -> None:
        """Bind; there is no port, and no name to look up."""
        self.socket.bind(self.server_address)

    def run(self) -> None:
        """Answer until `end`; nothing is looked at in between."""
        while not self._ending.is_set():
            self.handle_request()
        self.server_close()

    def end(self) -> None:
        """Make `run` return."""
        self._ending.set()
        self.socket.shutdown(socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, which has no address."""
        request, _ = self.socket.accept()
        return request, ("haproxy", 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out what went wrong with a caller that did not wait."""
        log.debug("a page could not be shown", exc_info=True)


def _handler(knowing: Knowing) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S
        server_version, sys_version = "docker-discover", ""

        def parse_request(self) -> bool:
            """Show the page, whatever the method is."""
            if super().parse_request():
                self._show(
                    knowing.page(
                        self.headers.get("Host", ""), self.headers.get("X-Tandem-Backend", "")
                    )
                )
            return False

        def _show(self, page: Page) -> None:
            kind, text = (
                (HTML, page.html())
                if "text/html" in self.headers.get("Accept", "")
                else (TEXT, page.text())
            )
            body = text.encode()
            self.send_response(page.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self._take_the_rest()

        def _take_the_rest(self) -> None:
            """Read what still comes, as a connection that is closed on unread bytes takes the answer with it."""
            self.connection.shutdown(socket.SHUT_WR)
            left = UNREAD_BYTES_MAX
            while left > 0 and (some := self.connection.recv(65536)):
                left -= len(some)

        def log_message(self, format: str, *args: Any) -> None:
            log.debug(format, *args)

    return Handler


def _moment(at_s: float) -> str:
    """Return a time of the monotonic clock for people."""
    ago_s = time.monotonic() - at_s
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() - ago_s))
    return f"{text} ({ago_s / 60:.0f} min ago)" if ago_s >= 90 else f"{text} ({ago_s:.0f} s ago)"
