"""Call a port without pause, and keep when a container replied first and last."""

import socket
import threading
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
PAUSE_S = 0.0005  # between two calls: half of it is the error of a measured moment


def call(address: str, port: int, timeout_s: float = 2.0) -> list[str]:
    """Make one request on a new connection; return the words of the reply. Raises OSError."""
    with socket.create_connection((address, port), timeout=timeout_s) as connection:
        connection.sendall(REQUEST)
        chunks = list(iter(lambda: connection.recv(4096), b""))

    reply = b"".join(chunks)
    _, _, body = reply.partition(b"\r\n\r\n")
    if not body:
        raise ConnectionError(f"no reply from {address}:{port}: {reply!r:.80}")

    return body.decode().split()


class Prober:
    """Calls until the end of its block; the moments are in nanoseconds of this machine's clock."""

    def __init__(
        self,
        side: str,
        address: str,
        port: int,
        container: str,
    ) -> None:
        self.first_ns = 0
        self.last_ns = 0
        self.listening_ns = 0
        self.lost: list[str] = []
        self._side = side
        self._address = address
        self._port = port
        self._container = container
        self._seen = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prober")

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_seen(self, within_s: float = 15.0) -> None:
        """Return when the container has replied."""
        if not self._seen.wait(within_s):
            seen = f"{self._container} did not answer within {within_s} s"
            raise TimeoutError(f"{self._side}: {seen}")

    def wait_unseen(self, quiet_s: float = 0.2, within_s: float = 10.0) -> None:
        """Return when the container has not replied for a while."""
        deadline = time.monotonic() + within_s
        while time.time_ns() - self.last_ns < quiet_s * 1e9:
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                _, container, listening_ns, *_ = call(self._address, self._port)
            except OSError as error:
                self.lost.append(repr(error))
                continue

            if container == self._container:
                self._replied(int(listening_ns))

    def _replied(self, listening_ns: int) -> None:
        self.last_ns = time.time_ns()
        if not self._seen.is_set():
            self.first_ns = self.last_ns
            self.listening_ns = listening_ns
            self._seen.set()
