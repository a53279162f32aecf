"""Answer whether this process works and why: /healthz, /readyz, /explain and /metrics on one small port."""

import contextlib
import errno
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from catalog.host_port import host_port
from sidecar.actors import Actor
from sidecar.metrics import Metrics
from sidecar.options import WrongSettings

log = logging.getLogger(__name__)

NOT_YET = "not yet"
LOOK_S = 0.5  # how often it is seen that its address, or a descriptor, is free
PLACE = Path("/run/tandem/metrics")  # where the images' `ask` reads where to ask


class Health:
    """Named facts, each set by one actor: ready when all are good; healthy while every loop still turns."""

    def __init__(self, *, stuck_after_s: float) -> None:
        self._facts: dict[str, str | None] = {}
        self._turned: dict[str, float] = {}
        self._stuck_after_s = stuck_after_s

    def expect(self, *names: str) -> None:
        """Count these as not ready until they are said to be good."""
        self._facts.update(dict.fromkeys(names, NOT_YET))

    def good(self, name: str) -> None:
        """Say that a thing works; logged when it did not before."""
        if self._facts.get(name) not in (None, NOT_YET):
            log.info("%s works again", name)
        self._facts[name] = None

    def bad(self, name: str, why: str) -> None:
        """Say that a thing does not work, in one line."""
        self._facts[name] = why

    def turned(self, loop: str) -> None:
        """Say that a loop has gone round; one that stays silent for too long is stuck."""
        self._turned[loop] = time.monotonic()

    def rests(self, loop: str) -> None:
        """Say that a loop has nothing to do: it waits for somebody else, and cannot be stuck."""
        self._turned.pop(loop, None)

    def last_turned(self) -> Mapping[str, float]:
        """Return when each loop that has work went round last, by the monotonic clock."""
        return dict(self._turned)

    def not_ready(self) -> Mapping[str, str]:
        """Return what does not work, and why."""
        return {name: why for name, why in dict(self._facts).items() if why is not None}

    def stuck(self) -> Mapping[str, str]:
        """Return the loops that stopped turning."""
        now = time.monotonic()
        silent = {loop: now - at for loop, at in dict(self._turned).items()}
        return {
            loop: f"silent for {s:.0f} s" for loop, s in silent.items() if s > self._stuck_after_s
        }


def server(
    address: tuple[str, int],
    health: Health,
    metrics: Metrics,
    explain: Callable[[], Any],
    *,
    place: Path = PLACE,
) -> Actor:
    """Return the actor that answers at `address`; it holds its port from here on.

    While another process holds it, such as the one that this one is to replace, it answers at another port, and
    moves as soon as that one leaves. The file `place` says where it answers now. Raises WrongSettings if the
    address is wrong.
    """
    answering = _Answering(address, _handler(_routes(health, metrics, explain)), place)
    return Actor("health", answering.run, answering.close)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a client; one that there is no descriptor for stays in the queue, and is not asked for at once."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno != errno.EINVAL:  # which is what `close` does to the socket
                threading.Event().wait(LOOK_S)
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, but not of a client that did not wait for its answer."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            log.exception("a question of %s could not be answered", client_address)


class _Answering:
    """One listener, at the address that was asked for or, while that is taken, at another port of it."""

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], place: Path
    ) -> None:
        self._closing = threading.Event()
        self._address, self._handler, self._place = address, handler, place
        self._moved = False
        try:
            self._listener = self._at_home() or self._away()
        except OSError as error:
            seen = f"{host_port(*address)}: {error.strerror}"
            raise WrongSettings([f"METRICS: {seen}; name another address, or off"]) from error

    def run(self) -> None:
        """Answer until closed."""
        while not self._closing.is_set():
            self._listener.timeout = LOOK_S if self._moved else None
            self._listener.handle_request()
            if self._moved and (home := self._at_home()):
                self._listener.server_close()
                self._listener = home
                log.info("METRICS is free now: answering there")
        self._listener.server_close()

    def close(self) -> None:
        """Make `run` return, from any thread: whoever waits for clients on a socket is woken when it is shut down."""
        self._closing.set()  # first: a listener that takes this one's place is not waited on any more
        with contextlib.suppress(OSError):
            self._listener.socket.shutdown(socket.SHUT_RDWR)

    def _at_home(self) -> _Listener | None:
        """Return a listener where it belongs, or None while another process has that."""
        try:
            listener = _Listener(self._address, self._handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None
        self._moved = False
        self._say(host_port(*self._address))
        return listener

    def _away(self) -> _Listener:
        listener = _Listener((self._address[0], 0), self._handler)
        self._moved = True
        where = host_port(self._address[0], listener.server_address[1])
        self._say(where)
        home = host_port(*self._address)
        log.warning(
            "METRICS %s is held by another process: answering at %s until it leaves", home, where
        )
        return listener

    def _say(self, where: str) -> None:
        with contextlib.suppress(
            OSError
        ):  # there is no such folder outside an image, and nobody who would ask
            self._place.write_text(f"{where}\n")


_Answer = tuple[int, str, bytes]


def _routes(
    health: Health, metrics: Metrics, explain: Callable[[], Any]
) -> Mapping[str, Callable[[], _Answer]]:
    return {
        "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics.text()),
        "/healthz": lambda: _verdict(health.stuck()),
        "/readyz": lambda: _verdict(health.not_ready()),
        "/explain": lambda: (
            200,
            "application/json",
            json.dumps(explain(), indent=2, sort_keys=True).encode() + b"\n",
        ),
    }


def _verdict(wrong: Mapping[str, str]) -> _Answer:
    lines = [f"{name}: {why}" for name, why in sorted(wrong.items())] or ["ok"]
    return (503 if wrong else 200, "text/plain; charset=utf-8", ("\n".join(lines) + "\n").encode())


def _handler(routes: Mapping[str, Callable[[], _Answer]]) -> type[BaseHTTPRequestHandler]:
    def unknown() -> _Answer:
        return (404, "text/plain; charset=utf-8", f"here: {' '.join(routes)}\n".encode())

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # a client that sends nothing must not keep a thread

        def do_GET(self) -> None:
            status, kind, body = routes.get(self.path.partition("?")[0], unknown)()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            log.debug(format, *args)

    return Handler
