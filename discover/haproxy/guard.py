"""Notice at once that HAProxy is gone, and soon that it hangs or lost its socket.

One that hangs is ended, one without a socket is reloaded.
"""

import contextlib
import logging
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from discover.haproxy.other_processes import children, first_of, is_runnable
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.status.health import Health
from sidecar.status.metrics import Counter

log = logging.getLogger(__name__)

ABSENT_S = 1.0  # how soon a master that was not there is looked for again
ABSENT_TIMES = 3  # a master that starts makes its socket within a second
PROBE_S = 3.0  # between two questions: this is all that an idle docker-discover asks
# Twice in a row without an answer is hung. A master reads its file in one go, which took up to 4 s
# for 100,000 servers; two such waits, the pause before them and the start after them stay below 15
# s.
ANSWER_S = 3.0
# a master that executes itself anew refuses for up to 157 ms (docs/research/haproxy.md section 1.3)
AGAIN_S = 0.3
FACT = "haproxy answers"

Trouble = Literal["hung", "no socket"]


class Guard:
    """The actor that holds a connection to HAProxy's master: it ends if the master ends or reloads.

    A stopped process keeps its connections and its kernel goes on to accept, so only a reply proves
    anything.
    """

    def __init__(
        self,
        master: Path,
        lost: Callable[[str], None],
        *,
        health: Health | None = None,
        mended: Counter | None = None,
    ) -> None:
        self._path = master
        self._lost = lost
        self._health = health
        self._mended = mended
        self._stop = threading.Event()
        self._open: set[socket.socket] = set()
        self._told: Trouble | None = None
        self.master = 0  # the process that was held last; 0 if it is out of sight

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("guard", self.run, self.interrupt)

    def run(self) -> None:
        """Fire `haproxy` whenever the master's connection ends, until interrupted."""
        absent = 0  # times in a row that there was no socket

        while not self._stop.is_set():
            absent += 1
            try:
                self._hold()
                absent = 0
            except FileNotFoundError:
                if absent % ABSENT_TIMES == 0:
                    self._mend_absent()
            except OSError:
                absent = 0

            if not self._stop.wait(ABSENT_S):
                self._lost("haproxy")

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _mend_absent(self) -> None:
        """Mend a socket that went while nobody held it, such as before our own start."""
        master = first_of("haproxy", f"{self._path},")
        if master:
            self._mend("no socket", master)

    def _hold(self) -> None:
        """Hold a connection to the master until it ends."""
        with self._connected(PROBE_S) as held:
            self.master = master = _listener(held)

            while not self._stop.is_set():
                try:
                    if not held.recv(4096):
                        return
                except TimeoutError:
                    self._look(master)

    @contextlib.contextmanager
    def _connected(self, wait_s: float) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(wait_s)
            self._open.add(connection)
            try:
                connection.connect(str(self._path))
                yield connection
            finally:
                self._open.discard(connection)

    def _look(self, master: int) -> None:
        trouble = self._trouble()
        if trouble and not self._stop.wait(AGAIN_S):
            trouble = self._trouble()
        if self._stop.is_set():
            return

        if trouble == "hung" and _waits_for_its_turn(master):
            # The machine has too much to do: ending HAProxy would make things worse. (One that
            # turns in circles ends itself: HAProxy's own watchdog.)
            self._suffer("is slow to answer")
            return

        if trouble:
            self._mend(trouble, master)
        elif self._health:
            self._health.good(FACT)
        self._told = trouble

    def _trouble(self) -> Trouble | None:
        """Ask the worker through the master.

        Whatever is answered, it is alive; an error is for others to see.
        """
        try:
            with self._connected(ANSWER_S) as asked:
                asked.sendall(b"@1 show info\n")
                asked.shutdown(socket.SHUT_WR)
                asked.recv(1)
        except (TimeoutError, BlockingIOError):  # the latter: so many wait for it already
            return "hung"
        except (FileNotFoundError, ConnectionRefusedError):
            return "no socket"
        except OSError:
            return None
        return None

    def _mend(self, trouble: Trouble, master: int) -> None:
        if master:
            done = _MENDS[trouble](master)
        else:
            done = "it runs in another container, which must be restarted"

        why = "does not answer" if trouble == "hung" else f"lost its socket {self._path}"
        if self._told != trouble:
            log.error("HAProxy %s: %s %s", why, done, Details(master=master))

        self._suffer(why)
        if self._mended:
            self._mended.labels(trouble.replace(" ", "_")).inc()

    def _suffer(self, why: str) -> None:
        if self._health:
            self._health.bad(FACT, f"HAProxy {why}")


def _listener(connection: socket.socket) -> int:
    """Return the process that listens on the other side; 0 if it is out of sight.

    A master keeps its number when it reloads.

    unix(7), SO_PEERCRED: for a connected client, those that were in effect at the listen().
    """
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", packed)[0]
    return pid


def _waits_for_its_turn(master: int) -> bool:
    return bool(master) and any(map(is_runnable, (master, *children(master))))


def _end(master: int) -> str:
    # The workers too: a stopped one would not notice that its master is gone, and go on to be given
    # connections.
    for pid in (master, *children(master)):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)

    return "killed it, so that it is restarted"


def _wake(master: int) -> str:
    # A reload makes the socket anew, and costs no connection.
    with contextlib.suppress(OSError):
        os.kill(master, signal.SIGUSR2)
    return "reloaded it, which recreates the socket"


_MENDS: dict[Trouble, Callable[[int], str]] = {"hung": _end, "no socket": _wake}
