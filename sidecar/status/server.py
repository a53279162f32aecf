"""Answer whether this process works, and why, at the address of METRICS.

The paths are /healthz, /readyz, /explain and /metrics.
"""

import contextlib
import errno
import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from catalog.host_port import host_port
from sidecar.actors import Actor
from sidecar.http_server import TEXT, Answer, HttpServer, Request
from sidecar.options import WrongSettings
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics

log = logging.getLogger(__name__)

LOOK_S = 0.5  # how often it is seen whether its own address is free
AGAIN_S = 5.0  # the same of ::1, where nobody waits for it
END_S = 2.0  # until an answer at ::1 that is under way is given up
WHERE_FILE = Path("/run/tandem/metrics")  # the images' `ask` reads there where to ask


def status_server(
    address: tuple[str, int],
    health: Health,
    metrics: Metrics,
    explain: Callable[[], Any],
    *,
    where_file: Path = WHERE_FILE,
) -> Actor:
    """Return the actor that answers at `address`; it holds its port from here on.

    While another process holds that port, such as the one that this one replaces, it answers at
    another port, and moves as soon as the other process leaves. `where_file` says where it answers
    now. Raises WrongSettings if the address is wrong.
    """
    server = _StatusServer(address, _responder(health, metrics, explain), where_file)
    return Actor("health", server.run, server.end)


class _StatusServer:
    """Listens at its own address or, while that is taken, at another port of the same host."""

    def __init__(
        self, address: tuple[str, int], respond: Callable[[Request], Answer], where_file: Path
    ) -> None:
        self._ending = threading.Event()
        self._address = address
        self._respond = respond
        self._where_file = where_file
        self._is_away = False
        self._beside = _AtIpv6Loopback(address, self._server)
        try:
            self._listening = self._at_home() or self._elsewhere()
        except OSError as error:
            seen = f"{host_port(*address)}: {error.strerror}"
            raise WrongSettings([f"METRICS: {seen}; name another address, or off"]) from error

    def run(self) -> None:
        """Answer until `end`."""
        self._beside.start()
        while not self._ending.is_set():
            self._listening.timeout = LOOK_S if self._is_away else None
            self._listening.handle_request()
            if self._is_away:
                self._move_home()

        self._listening.server_close()
        self._beside.end()

    def end(self) -> None:
        """Make `run` return, from any thread."""
        self._ending.set()  # first: a server that replaces this one does not wait any more
        self._listening.end()

    def _move_home(self) -> None:
        """Take the own address if it is free now."""
        if (home := self._at_home()) is None:
            return

        self._listening.server_close()
        self._listening = home
        log.info("METRICS is free again: answering there")

    def _at_home(self) -> HttpServer | None:
        """Return a server at the own address, or None while another process holds that."""
        try:
            server = self._server(self._address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None

        self._is_away = False
        self._note(host_port(*self._address))
        return server

    def _elsewhere(self) -> HttpServer:
        host, _ = self._address
        server = self._server((host, 0))
        where = host_port(host, server.server_address[1])

        self._is_away = True
        self._note(where)
        log.warning(
            "METRICS %s is in use by another process: answering at %s until it is free",
            host_port(*self._address),
            where,
        )
        return server

    def _server(self, address: tuple[str, int]) -> HttpServer:
        return HttpServer(address, self._respond, name="tandem")

    def _note(self, where: str) -> None:
        # Outside an image there is no such folder, and nobody who would ask.
        with contextlib.suppress(OSError):
            self._where_file.write_text(f"{where}\n")


class _AtIpv6Loopback:
    """Answers at ::1 as well what answers at 127.0.0.1: `localhost` is both.

    Where there is no ::1, or another process holds the port there, it says nothing and tries again.
    """

    def __init__(
        self, address: tuple[str, int], server: Callable[[tuple[str, int]], HttpServer]
    ) -> None:
        host, self._port = address
        self._server = server
        self._ending = threading.Event()
        self._listening: HttpServer | None = None
        self._thread = None
        if host == "127.0.0.1":
            self._thread = threading.Thread(target=self._run, name="health6", daemon=True)

    def start(self) -> None:
        """Answer until `end`, in a thread of its own."""
        if self._thread:
            self._thread.start()

    def end(self) -> None:
        """Answer no more."""
        self._ending.set()
        if self._listening:
            self._listening.end()
        if self._thread:
            self._thread.join(END_S)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._listening = self._server(("::1", self._port))
            except OSError:
                self._ending.wait(AGAIN_S)
                continue

            while not self._ending.is_set():
                self._listening.handle_request()
            self._listening.server_close()


def _responder(
    health: Health, metrics: Metrics, explain: Callable[[], Any]
) -> Callable[[Request], Answer]:
    """Return what answers each path."""
    answers: Mapping[str, Callable[[], Answer]] = {
        "/metrics": lambda: Answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics.text()),
        "/healthz": lambda: _verdict(health.stuck()),
        "/readyz": lambda: _verdict(health.not_ready()),
        "/explain": lambda: Answer(200, "application/json", _json(explain())),
    }

    def respond(request: Request) -> Answer:
        if request.method != "GET":
            return _text(501, f"Unsupported method ({request.method!r})")

        answer = answers.get(request.path.partition("?")[0])
        return answer() if answer else _text(404, f"paths: {' '.join(answers)}")

    return respond


def _verdict(wrong: Mapping[str, str]) -> Answer:
    lines = [f"{name}: {why}" for name, why in sorted(wrong.items())]
    return _text(503, "\n".join(lines)) if wrong else _text(200, "ok")


def _text(status: int, text: str) -> Answer:
    return Answer(status, TEXT, f"{text}\n".encode())


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
