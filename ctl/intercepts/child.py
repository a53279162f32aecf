"""The command that an intercept lives as long as: started here, in this terminal."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from catalog.errors import Rejected

NOT_FOUND = 127  # as shells say it
SIGNALLED = 128  # and by which signal, as shells say it


class Child:
    """One command. `on_end` is called from another thread when it has ended."""

    def __init__(self, command: Sequence[str], on_end: Callable[[], None]) -> None:
        try:
            self._process = subprocess.Popen(list(command))
        except OSError as error:
            raise Rejected(f"cannot start {command[0]}: {error.strerror}") from error
        self._on_end = on_end
        self._thread = threading.Thread(target=self._wait, name="child", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def status(self) -> int:
        """Wait for its end, whatever signals come, and return its exit status."""
        while True:
            try:
                status = self._process.wait()
            except KeyboardInterrupt:
                continue  # the terminal sent it to the command as well
            return SIGNALLED - status if status < 0 else status

    def end(self) -> None:
        """Ask it to end, if it has not."""
        with contextlib.suppress(OSError):
            self._process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Pass ^C on, unless the terminal has sent it to the command as well."""
        if not sys.stdin.isatty():
            with contextlib.suppress(OSError):
                self._process.send_signal(signal.SIGINT)

    def _wait(self) -> None:
        self._process.wait()
        self._on_end()
