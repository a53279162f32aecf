"""A client that calls without pause on one connection, and keeps who answered since when."""

import re
import select
import socket
import threading
import time
from dataclasses import dataclass

STUB = "stub"
SILENCE_S = 5.0
PAUSE_S = 0.0005  # half of it is the error of a measured moment
REQUEST = b"GET / HTTP/1.1\r\nHost: switches\r\n\r\n"
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Turn:
    """Who answers, and since when: a container's short id, or STUB."""

    answerer: str
    since_ns: int


class SteadyClient:
    """Calls until the end of its block.

    Where the server closes a connection that was used before, the client makes a new one and the
    call once more; anything else is a failure. `cut` counts the calls that were under way then,
    `connections` all that were made.
    """

    def __init__(self, address: str, port: int) -> None:
        self.done = 0
        self.connections = 0
        self.cut = 0
        self.failed: list[str] = []
        self.turns: list[Turn] = []
        self.place = (address, port)
        self._first_ns: dict[str, int] = {}  # answerer -> its first answer
        self._socket: socket.socket | None = None
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="client")

    def __enter__(self) -> "SteadyClient":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._drop()

    def wait_answered_by(self, answerer: str, within_s: float = 20.0) -> int:
        """Wait until it is this one that answers; return since when it does."""
        with self._news:
            if not self._news.wait_for(lambda: self._is_answered_by(answerer), within_s):
                raise TimeoutError(f"{self.place}: not answered by {answerer}; {self._seen()}")

            return self.turns[-1].since_ns

    def _is_answered_by(self, answerer: str) -> bool:
        return bool(self.turns) and self.turns[-1].answerer == answerer

    def wait_seen(self, answerer: str, within_s: float = 20.0) -> int:
        """Wait until this one has answered; return when it did for the first time."""
        with self._news:
            if not self._news.wait_for(lambda: answerer in self._first_ns, within_s):
                raise TimeoutError(f"{self.place}: {answerer} has not answered; {self._seen()}")

            return self._first_ns[answerer]

    def _seen(self) -> str:
        return f"{self.turns[-3:]}, {self.failed[:3]}"

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                answerer = self._call()
            except OSError as error:
                self.failed.append(f"{time.time_ns()}: {error!r}")
                self._drop()
            else:
                self._count(answerer)

    def _count(self, answerer: str) -> None:
        with self._news:
            now_ns = time.time_ns()
            self.done += 1
            self._first_ns.setdefault(answerer, now_ns)
            if not self._is_answered_by(answerer):
                self.turns.append(Turn(answerer, now_ns))
            self._news.notify_all()

    def _call(self) -> str:
        """Make a call, on the old connection if that is open; return who answers."""
        if self._socket is not None and not _is_closed(self._socket):
            try:
                return self._exchange(self._socket)
            except (ConnectionResetError, BrokenPipeError, EOFError):
                self.cut += 1

        connection = self._reconnected()
        try:
            return self._exchange(connection)
        except EOFError as error:
            raise ConnectionError("closed before the reply was whole") from error

    def _reconnected(self) -> socket.socket:
        self._drop()
        connection = socket.create_connection(self.place, timeout=SILENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self.connections += 1
        return connection

    def _exchange(self, connection: socket.socket) -> str:
        connection.sendall(REQUEST)
        head, body = _read(connection)
        if b" 200 " not in head[:13]:
            raise ConnectionError(f"status {head[9:12].decode()}")

        if _value(head, b"connection") == "close":
            self._drop()

        if _value(head, b"x-stub"):
            return STUB

        _, container, *_ = body.decode().split()
        return container

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return head and body of a reply; raises EOFError."""
    received = b""
    while True:
        head, separator, body = received.partition(HEAD_END)
        if separator and len(body) >= int(_value(head, b"content-length") or 0):
            return head, body

        more = connection.recv(65536)
        if not more:
            raise EOFError
        received += more


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed a connection: no reply is due, so only its end can be read."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)


def _value(head: bytes, name: bytes) -> str:
    """Return the value of a header in lower case; empty without it."""
    found = re.search(rb"\r\n" + name + rb": *([^\r]*)", head, re.IGNORECASE)
    return found[1].decode().lower() if found else ""
