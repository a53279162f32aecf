"""A caller that never stops: one GET after the other, each on a connection of its own, and what became of them."""

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
