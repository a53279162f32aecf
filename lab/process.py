"""Processes that outlive the one who started them: known by a file with pid and start time; killed, stopped, continued.

Whoever opens the same folder later (`make lab-down`, a test after a crash) finds the same processes.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

# Nothing of the caller's environment reaches the fleet: ETCD_HOST and the like would change what is tested.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ETCDCTL_API": "3",
}
COMMAND_S = 60.0
END_S = 15.0
STOPPED_S = 5.0
_POLL_S = 0.01


class LabError(Exception):
    """The fleet cannot do what was asked; the text says what was tried and what was seen."""


def run(*command: str, check: bool = True, timeout_s: float = COMMAND_S) -> str:
    """Run a command and return what it printed, errors too. Raises LabError if it fails or takes too long."""
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
        raise LabError(f"{' '.join(command)}: no end within {timeout_s:g} s") from error
    except OSError as error:
        raise LabError(f"{command[0]}: {error.strerror}") from error
    if check and done.returncode != 0:
        raise LabError(
            f"{' '.join(command)}: status {done.returncode}: {done.stdout.strip()[-2000:]}"
        )
    return done.stdout.strip()


class Process:
    """One program of the fleet, in all its lives; `log` is all it has said in them."""

    def __init__(self, folder: Path, name: str, command: Sequence[str], cwd: Path) -> None:
        self.name = name
        self.command = command
        self._cwd = cwd
        self._pid_file = folder / f"{name}.pid"
        self._started_file = folder / f"{name}.started"  # pids come round again
        self.log_file = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it if it does not live, and do not wait."""
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
        self._started_file.write_text(f"{started_ticks(self._child.pid)}\n")
        self._pid_file.write_text(f"{self._child.pid}\n")

    @property
    def pid(self) -> int | None:
        """Its process id; None if it does not live."""
        try:
            pid, ticks = (int(file.read_text()) for file in (self._pid_file, self._started_file))
        except (OSError, ValueError):
            return None
        return pid if started_ticks(pid) == ticks else None

    @property
    def alive(self) -> bool:
        """Whether it lives; a stopped one does."""
        return self.pid is not None

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def send(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it the polite way; as a crash does when it takes too long."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Let it be silent with all its connections open; returns once every thread has stopped."""
        self.send(signal.SIGSTOP)
        deadline = time.monotonic() + STOPPED_S
        while (pid := self.pid) is not None and _thread_states(pid) - {"T", "t"}:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} does not stop at SIGSTOP")
            time.sleep(_POLL_S)

    def resume(self) -> None:
        """Let it go on; nothing happens to one that was not paused."""
        self.send(signal.SIGCONT)

    def _end(self, number: int) -> None:
        pid = self.pid
        if pid is not None:
            end(pid, number)
        self.reap()
        self._pid_file.unlink(missing_ok=True)

    def reap(self) -> None:
        """Take note that it has ended, if this process started it and it has; no zombie is left."""
        if self._child is not None:
            self._child.wait(END_S)
            self._child = None


def end(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal that ends a process, wait, and kill it when it takes too long. A stopped one is continued first."""
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
    """Whether the process ends within END_S; a pidfd is readable once it has (pidfd_open(2))."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(END_S * 1000))


def end_all(pids: Iterable[int]) -> None:
    """Kill all of them at once and wait for each."""
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        end(pid)


def children(roots: Iterable[int]) -> set[int]:
    """Return these processes and all that descend from them."""
    by_parent: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if fields := _stat(stat):
            by_parent.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    left = list(roots)
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += by_parent.get(pid, [])
    return found


def started_ticks(pid: int) -> int | None:
    """Return when a process started, in ticks since boot; None if it is gone or a zombie (proc_pid_stat(5))."""
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return int(fields[19]) if fields and fields[0] not in ("Z", "X") else None


def _thread_states(pid: int) -> set[str]:
    return {
        fields[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat") if (fields := _stat(stat))
    }


def _stat(path: Path) -> list[str]:
    """Return the fields from the third on: state, parent, ..."""
    try:
        return path.read_text().rpartition(")")[2].split()  # the name before it may hold spaces
    except OSError:
        return []
