"""Answer whether this process works and why: /healthz, /readyz, /explain and /metrics on one small port."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sidecar.actors import Actor
from sidecar.metrics import Metrics
from sidecar.options import WrongSettings

log = logging.getLogger(__name__)

NOT_YET = "not yet"


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

    def not_ready(self) -> Mapping[str, str]:
        """Return what does not work, and why."""
        return {name: why for name, why in dict(self._facts).items() if why is not None}

    def stuck(self) -> Mapping[str, str]:
        """Return the loops that stopped turning."""
        now = time.monotonic()
        silent = {loop: now - at for loop, at in dict(self._turned).items()}
        return {loop: f"silent for {s:.0f} s" for loop, s in silent.items() if s > self._stuck_after_s}


def server(address: tuple[str, int], health: Health, metrics: Metrics, explain: Callable[[], Any]) -> Actor:
    """Return the actor that answers; it holds its port from here on. Raises WrongSettings if that cannot be had."""
    try:
        listener = _Listener(address, _handler(_routes(health, metrics, explain)))
    except OSError as error:
        seen = f"{address[0]}:{address[1]}: {error.strerror}"
        raise WrongSettings([f"METRICS: {seen}; name another address, or off"]) from error
    closing = threading.Event()

    def interrupt() -> None:
        if not closing.is_set():
            closing.set()
            # shutdown() waits for the loop to leave, and for ever if it was never entered.
            threading.Thread(target=listener.shutdown, name="health-stop", daemon=True).start()

    def run() -> None:
        with listener:
            listener.serve_forever(poll_interval=0.5)

    return Actor("health", run, interrupt)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


_Answer = tuple[int, str, bytes]


def _routes(health: Health, metrics: Metrics, explain: Callable[[], Any]) -> Mapping[str, Callable[[], _Answer]]:
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
