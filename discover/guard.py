"""Notice at once that HAProxy is gone, without asking it again and again."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from sidecar.actors import Actor

log = logging.getLogger(__name__)

ABSENT_S = 1.0  # how soon a master that was not there is looked for again


class Guard:
    """The actor that holds a connection to HAProxy's master: it ends when the master does, or reloads."""

    def __init__(self, master: Path, lost: Callable[[str], None]) -> None:
        self._master = master
        self._lost = lost
        self._stop = threading.Event()
        self._held: socket.socket | None = None

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("guard", self.run, self.interrupt)

    def run(self) -> None:
        """Fire `haproxy` whenever the master's connection ends, until interrupted."""
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                self._hold()
            if not self._stop.wait(ABSENT_S):
                self._lost("haproxy")

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        if (held := self._held) is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def _hold(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
            held.connect(str(self._master))
            self._held = held
            try:
                while not self._stop.is_set() and held.recv(4096):
                    pass
            finally:
                self._held = None
