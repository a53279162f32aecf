"""A proxy before Docker's socket, on loopback, that can be cut, and that can put the engine's clock
back.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

SOCKET = "/var/run/docker.sock"
_TIMES = re.compile(rb'(?<="timeNano":)[0-9]{19}|(?<="time":)[0-9]{10}')
_DATE = re.compile(rb"(?<=\r\nDate: )[^\r]{29}")


class DockerProxy:
    """Passes bytes on until it is cut; `requests` are the first lines it saw."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._clock: tuple[int, int] | None = None
        self._server = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="proxy-accept")]
        self._threads[0].start()

    @property
    def docker_host(self) -> str:
        return f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def put_back(self, seconds: int) -> None:
        """Put the engine's clock back, for the events from now on and for the date of replies."""
        self._clock = (seconds, time.time_ns())

    def cut(self) -> None:
        """Close every connection."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Be away for good; once more is harmless."""
        if self._server.fileno() < 0:
            return
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._threads[0].join(5)
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(SOCKET)
                self._ends += [client, engine]
                self._pipe(client, engine)
                self._pipe(engine, client)

    def _pipe(self, source: socket.socket, sink: socket.socket) -> None:
        thread = threading.Thread(target=self._copy, args=(source, sink), name="proxy-copy")
        self._threads.append(thread)
        thread.start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if data.startswith((b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ")):
                    self.requests.append(data.partition(b"\r\n")[0].decode())
                sink.sendall(put_back(data, *self._clock) if self._clock else data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def put_back(data: bytes, seconds: int, at_ns: int) -> bytes:
    """Return what an engine would say whose clock was put back then. The length stays."""

    def earlier(found: re.Match[bytes]) -> bytes:
        number = int(found[0])
        unit = 10 ** (len(found[0]) - 10)  # nanoseconds, or seconds
        return found[0] if number < at_ns * unit // 10**9 else b"%d" % (number - seconds * unit)

    def earlier_date(found: re.Match[bytes]) -> bytes:
        date = parsedate_to_datetime(found[0].decode()) - timedelta(seconds=seconds)
        return format_datetime(date, usegmt=True).encode()

    return _DATE.sub(earlier_date, _TIMES.sub(earlier, data))


@contextlib.contextmanager
def docker_proxy() -> Iterator[DockerProxy]:
    proxy = DockerProxy()
    try:
        yield proxy
    finally:
        proxy.close()
