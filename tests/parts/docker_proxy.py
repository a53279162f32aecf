"""A proxy before Docker's socket, on loopback, that can be cut; and an engine that answers whatever
a test wants.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

SOCKET = "/var/run/docker.sock"


class DockerProxy:
    """Passes bytes on until it is cut; `requests` are the first lines it saw."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="proxy-accept")]
        self._threads[0].start()

    @property
    def docker_host(self) -> str:
        return f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

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
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def docker_proxy() -> Iterator[DockerProxy]:
    proxy = DockerProxy()
    try:
        yield proxy
    finally:
        proxy.close()
