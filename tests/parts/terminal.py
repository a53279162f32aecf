"""A program at a terminal: keys go in, and what it shows is read."""

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self


class Terminal:
    """One program, as a person at a terminal of 24 lines runs it."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environ = environ
        self._pid = self._fd = 0
        self.shown = ""

    def __enter__(self) -> Self:
        """Start it."""
        self._pid, self._fd = pty.fork()
        if not self._pid:
            os.execvpe(self._command[0], self._command, self._environ)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)

    def type(self, keys: str) -> None:
        """Press keys; what was shown before is forgotten."""
        self.shown = ""
        os.write(self._fd, keys.encode())

    def wait_shown(self, text: str, within_s: float) -> None:
        """Return when it has shown this since the last keys."""
        deadline_s = time.monotonic() + within_s
        while text not in self.shown:
            left_s = deadline_s - time.monotonic()
            ready = left_s > 0 and select.select([self._fd], [], [], left_s)[0]
            assert ready, f"not within {within_s:g} s: {text!r}; shown: {self.shown!r}"
            self.shown += os.read(self._fd, 65536).decode(errors="replace")
