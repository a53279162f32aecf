"""Callers: one that never stops, each GET on a connection of its own, and one that keeps its
connection.
"""

import socket
import threading
from types import TracebackType

from tests.parts.haproxy import get


class Caller:
    """Calls a port until the block ends; `replies` is every body, `failed` everything else."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.replies: list[str] = []
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller")

    def __enter__(self) -> "Caller":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            try:
                status, body = get(self._port)
            except OSError as error:
                self.failed.append(repr(error))
            else:
                (self.replies if status == 200 else self.failed).append(
                    body if status == 200 else str(status)
                )


class TcpClient:
    """A tcp client that keeps its connection, and makes a new one when that ends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connects = 0
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        self.connects += 1

    def ask(self) -> str:
        """Send a line and return the answer, over a new connection if the old one ended."""
        try:
            self._socket.sendall(b"?\n")
            if answer := self._socket.recv(100):
                return answer.decode().strip()
        except OSError:
            pass

        self._socket.close()
        self._connect()
        self._socket.sendall(b"?\n")
        return self._socket.recv(100).decode().strip()

    def close(self) -> None:
        self._socket.close()
