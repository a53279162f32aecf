"""Talk to HAProxy: check a file, reload, ask the running worker. Decides nothing.

HAProxy runs in master-worker mode (management manual, section 3 "-W"). It is known by one
configuration path and two sockets, never by a pid, so that the same code serves one container or
two that share folders.
"""

import contextlib
import fcntl
import logging
import re
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from sidecar.log import Details

log = logging.getLogger(__name__)

CHECK_S = 30.0
ANSWER_S = 5.0
# The master's socket refuses for up to 157 ms while it executes itself anew
# (docs/research/haproxy.md section 1.3).
RETRY_S = 0.005
_ALERT = re.compile(r"\[ALERT\]\s*(?:\(\d+\))?[\s:]*(?:config : )?(?P<text>\S.*)")
_DESCRIPTION = re.compile(r"^description: (?P<marker>\S+)\s*$", re.MULTILINE)


class Refusal(Rejected):
    """HAProxy refuses a file: what is in it, and all that HAProxy says about it."""

    def __init__(self, file: str, text: str, alerts: Sequence[str]) -> None:
        super().__init__(f"HAProxy refuses the configuration: {alerts[0]}")
        self.file = file
        self.text = text
        self.alerts = tuple(alerts)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where HAProxy's configuration and its master socket are."""

    config: Path
    master: Path
    pid: Path


class HAProxy:
    """One HAProxy on this host, started by its supervisor or by us, and left running when we go."""

    def __init__(self, paths: Paths, *, binary: str, supervised: bool) -> None:
        self._paths = paths
        self._binary = binary
        self._supervised = supervised

    def check(self, candidate: Path) -> None:
        """Let HAProxy read a file without running it. Raises Refusal."""
        done = self._run_check(candidate)
        if done.returncode < 0:
            raise Unavailable(f"{self._binary} -c was killed by signal {-done.returncode}")
        if done.returncode == 0:
            return

        text = ""  # without it, the lines that are named tell nothing
        with contextlib.suppress(OSError):
            text = candidate.read_text()
        raise Refusal(str(candidate), text, _complaints(done.stderr + done.stdout))

    def _run_check(self, candidate: Path) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                [self._binary, "-c", "-f", str(candidate)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=CHECK_S,
                check=False,
            )
        except OSError as error:
            raise Unavailable(f"cannot run {self._binary}: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{self._binary} -c took more than {CHECK_S:g} s") from error

    def marker(self) -> str | None:
        """Return the marker of the running worker; None if its file had none.

        Raises Unavailable.
        """
        match = _DESCRIPTION.search(self.ask("@1 show info"))
        return match["marker"] if match else None

    def ask(self, command: str, answer_s: float = ANSWER_S) -> str:
        """Send one line to the master and return its answer. Raises Unavailable."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as master:
                master.settimeout(answer_s)
                master.connect(str(self._paths.master))
                master.sendall(command.encode() + b"\n")
                # The master keeps its side open until ours is closed
                # (docs/research/haproxy.md section 2.1).
                master.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: master.recv(65536), b""))
        except OSError as error:
            raise Unavailable(
                f"HAProxy does not answer at {self._paths.master}: {error}"
            ) from error

        return answer.decode(errors="replace")

    def reload(self, marker: str, stop: threading.Event, within_s: float) -> None:
        """Have the file at its path taken over, and return when the worker that runs it answers.

        Starts HAProxy where nobody else does. Raises Rejected if it cannot load the file and goes
        on with the old one, Unavailable if it does not answer.
        """
        # No answer is no verdict: 2.6 never gives one, later ones Success=1 or 0 with the reason;
        # and one that does not run reads the new file when it is started.
        with contextlib.suppress(Unavailable):
            reply = self.ask("reload", answer_s=within_s)
            if "Success=0" in reply:
                raise Rejected(f"HAProxy could not load the configuration: {_complaints(reply)[0]}")

        self.confirm(marker, stop, within_s)

    def confirm(self, marker: str | None, stop: threading.Event, within_s: float) -> None:
        """Return when the running worker shows `marker`, starting HAProxy if it has to be.

        Raises Rejected if it shows another one when the time is over, Unavailable if it shows none.
        """
        deadline_s = time.monotonic() + within_s
        seen: str | None = "nothing"

        while time.monotonic() < deadline_s and not stop.is_set():
            try:
                seen = self.marker()
            except Unavailable:
                self.start()  # it may have died since, and then reads the same file
            if seen == marker:
                return
            stop.wait(RETRY_S)

        if seen == "nothing":
            raise Unavailable(
                f"HAProxy does not run {self._paths.config}: its own log lines give the reason"
            )
        raise Rejected(
            "HAProxy did not load the configuration, its own log lines give the reason; "
            f"{seen} keeps running"
        )

    def answers(self) -> bool:
        """Whether a master answers now; one that executes itself anew refuses for a moment."""
        try:
            self.ask("show proc")
        except Unavailable:
            return False
        return True

    def start(self) -> None:
        """Start HAProxy so that it outlives us, unless it runs or a supervisor starts it.

        The lock lives as long as HAProxy does, which inherits it: one that is only slow to answer
        is never joined by a second. Raises Unavailable.
        """
        if self._supervised:
            return
        try:
            self._start()
        except (OSError, subprocess.CalledProcessError) as error:
            # No descriptors are left, no memory, or there is no folder.
            raise Unavailable(f"cannot start {self._binary}: {error}") from error

    def _start(self) -> None:
        paths = self._paths
        socket_options = f"{paths.master},level,admin,mode,600"
        files = ["-p", str(paths.pid), "-f", str(paths.config)]
        command = [self._binary, "-W", "-S", socket_options, *files]

        with paths.pid.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return

            # A session of its own, and a child of init: a signal to us is none to it, and it leaves
            # us no zombie. HAProxy's own -D would do the same, but ends its output, and with it its
            # log.
            subprocess.run(
                ["setsid", "--fork", *command],
                stdin=subprocess.DEVNULL,
                pass_fds=[lock.fileno()],
                check=True,
            )

        log.info("started HAProxy %s", Details(config=paths.config))


def _complaints(output: str) -> Sequence[str]:
    """Return the alerts in HAProxy's output, each one line; there is always one."""
    lines = output.splitlines()
    alerts = [match["text"] for match in map(_ALERT.search, lines) if match]
    return alerts or output.strip().splitlines()[:1] or ["no reason given"]
