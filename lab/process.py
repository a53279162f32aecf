"""Processes that outlive their starter: kill, stop, pause and resume them.

A file with pid and start time identifies each, so a program that opens the same folder later (`make
lab-down`, a test after a crash) finds the same processes.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.proc import started_ticks, thread_states

# Nothing of the caller's environment reaches the fleet: ETCD_HOST would change what is tested.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ETCDCTL_API": "3",
}
COMMAND_S = 60.0
END_S = 15.0
STOPPED_S = 5.0
STOPPED_STATES = {"T", "t"}  # by a signal, by a tracer: proc_pid_stat(5)
_POLL_S = 0.01


class LabError(Exception):
    """The fleet cannot do what was asked; the text names what was tried and what was seen."""


def run(
    *command: str,
    check: bool = True,
    timeout_s: float = COMMAND_S,
) -> str:
    """Run a command and return its output, errors too.

    Raises LabError if it fails or takes too long.
    """
    words = " ".join(command)
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=ENVIRONMENT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{words}: not finished within {timeout_s:g} s") from error
    except OSError as error:
        raise LabError(f"{command[0]}: {error.strerror}") from error

    output = done.stdout.strip()
    if check and done.returncode != 0:
        raise LabError(f"{words}: status {done.returncode}: {output[-2000:]}")

    return output


class Process:
    """One program of the fleet, through all its restarts; `log` is the output of all of them."""

    def __init__(
        self,
        folder: Path,
        name: str,
        command: Sequence[str],
        cwd: Path,
    ) -> None:
        self.name = name
        self.command = command
        self.log_file = folder / f"{name}.log"
        self._cwd = cwd
        self._pid_file = folder / f"{name}.pid"
        self._started_file = folder / f"{name}.started"  # the kernel uses pids again
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it if it does not run, without waiting."""
        if self.alive:
            return

        self.reap()
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cwd,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        pid = self._child.pid
        self._started_file.write_text(f"{started_ticks(pid)}\n")
        self._pid_file.write_text(f"{pid}\n")

    @property
    def pid(self) -> int | None:
        """Its process id; None if it does not run."""
        try:
            pid = int(self._pid_file.read_text())
            ticks = int(self._started_file.read_text())
        except (OSError, ValueError):
            return None

        return pid if started_ticks(pid) == ticks else None

    @property
    def alive(self) -> bool:
        """Whether it runs; a paused one does."""
        return self.pid is not None

    @property
    def log(self) -> str:
        if not self.log_file.exists():
            return ""

        return self.log_file.read_text(errors="replace")

    def send(self, number: int) -> None:
        """Send it a signal, if it runs."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL if that takes too long."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Silence it with all its connections open; returns once every thread has stopped."""
        self.send(signal.SIGSTOP)
        deadline = time.monotonic() + STOPPED_S
        while not self._is_stopped():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} does not stop at SIGSTOP")
            time.sleep(_POLL_S)

    def _is_stopped(self) -> bool:
        pid = self.pid
        return pid is None or thread_states(pid) <= STOPPED_STATES

    def resume(self) -> None:
        """Continue it after a pause; without one nothing happens."""
        self.send(signal.SIGCONT)

    def _end(self, number: int) -> None:
        pid = self.pid
        if pid is not None:
            end(pid, number)

        self.reap()
        self._pid_file.unlink(missing_ok=True)

    def reap(self) -> None:
        """Leave no zombie of a process that was started here and has ended."""
        if self._child is not None:
            self._child.wait(END_S)
            self._child = None


def end(pid: int, number: int = signal.SIGKILL) -> None:
    """End a process with a signal, and with SIGKILL if that takes too long.

    A paused process is continued first: it would not notice the signal.
    """
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
            if not _ended(descriptor):
                os.kill(pid, signal.SIGKILL)
                _ended(descriptor)
        finally:
            os.close(descriptor)


def _ended(descriptor: int) -> bool:
    """Whether the process ends within END_S; its pidfd is readable then (pidfd_open(2))."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(END_S * 1000))


def end_all(pids: Iterable[int]) -> None:
    """Kill all of them at once, then wait for each."""
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    for pid in pids:
        end(pid)
