"""Real HAProxies for tests: the machine's own, and the one in the image, as one parameter."""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from discover.haproxy.process import HAProxy, Paths
from tests.parts.leftovers import LABEL, this_run
from tests.parts.wait import wait_for

IMAGE = "docker-discover"
KINDS = ("machine", "image")

# Passes on to the machine's program, but `-c` as a test wants.
FAULTY = """#!/bin/sh
case " $* " in *" -c "*)
    echo once >>'{folder}/checks'
    case $(cat '{folder}/mode') in
        fails) echo '[ALERT]    (1) : config : nothing is good enough' >&2; exit 1 ;;
        hangs) exec sleep 300 ;;
    esac ;;
esac
exec haproxy "$@"
"""


def binary_of(kind: str, folder: Path) -> str:
    """Return the program to run: the machine's haproxy, or a script that runs the image's in our
    folders.
    """
    if kind == "machine":
        found = shutil.which("haproxy")
        assert found, "no haproxy on this machine: make test installs it"
        return found
    script = folder / "haproxy-of-the-image"
    # The master answers SIGTERM; --init would not pass SIGUSR1. exec keeps the pid for the one who
    # ends it.
    script.write_text(
        "#!/bin/sh\n"
        f"exec docker run --rm --net host --user 0 --label {LABEL}={this_run()}.haproxy"
        f" -v '{folder}':'{folder}' --entrypoint haproxy {IMAGE} \"$@\"\n"
    )
    script.chmod(0o755)
    return str(script)


class RealHAProxy:
    """A HAProxy in a folder of its own, and the means to end it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.config = folder / "haproxy.cfg"
        self.master = folder / "master.sock"
        self.admin = folder / "admin.sock"
        self.binary = binary_of(kind, folder)
        self.pid_file = folder / "haproxy.pid"
        self.adapter = HAProxy(
            Paths(self.config, self.master, self.pid_file), binary=self.binary, supervised=False
        )
        self.stop = threading.Event()

    def start(self, text: str) -> None:
        """Run it with a configuration, and return when it answers."""
        self.config.write_text(text)
        self.adapter.start()
        wait_for(self.adapter.answers, 20, "HAProxy's master answers")

    def pids(self) -> list[int]:
        """Return the master's pid as this machine sees it, then its workers'."""
        found: list[tuple[int, int]] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    line = (entry / "cmdline").read_bytes().split(b"\0")
                    if (
                        Path(line[0].decode()).name == "haproxy"
                        and str(self.config).encode() in line
                    ):
                        # proc_pid_stat(5): field 22, counted from the third. Not by number: those
                        # begin anew some day.
                        started = int((entry / "stat").read_text().rpartition(")")[2].split()[19])
                        found.append((started, int(entry.name)))
        return [pid for _, pid in sorted(found)]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the master; its workers follow."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        """End it, and return when it is gone; it is asked again and again.

        HAProxy 2.6 loses a signal that comes while it reloads: of 150 masters that were told
        SIGTERM within
        60 ms of a SIGUSR2, one stayed with its worker until it was told once more.
        """

        def gone() -> bool:
            self.kill(signal.SIGTERM)
            return not self.pids()

        wait_for(gone, 15, "HAProxy is gone")


class FaultyHAProxy:
    """The machine's haproxy, whose `-c` can be made to fail or to hang."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "faulty-haproxy"
        self._folder = folder
        self.path.write_text(FAULTY.format(folder=folder))
        self.path.chmod(0o755)
        self.mode("works")

    def mode(self, mode: Literal["works", "fails", "hangs"]) -> None:
        """Let each `-c` do this from now on, and count anew."""
        (self._folder / "mode").write_text(mode)
        (self._folder / "checks").write_text("")

    def checks(self) -> int:
        """Return how often it was run with `-c` since."""
        return (self._folder / "checks").read_text().count("\n")


@contextlib.contextmanager
def running(folder: Path, kind: str) -> Iterator[RealHAProxy]:
    """Give a HAProxy that is ended afterwards."""
    haproxy = RealHAProxy(folder, kind)
    try:
        yield haproxy
    finally:
        haproxy.end()


def get(
    port: int, path: str = "/", host: str = "127.0.0.1", timeout_s: float = 5.0
) -> tuple[int, str]:
    """Return status and body of a GET over a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def is_silent(port: int) -> bool:
    """Whether nobody answers for a service: 503, or no connection. A call that hangs is neither."""
    try:
        return get(port)[0] == 503
    except (ConnectionError, http.client.HTTPException):
        return True


def answers(port: int, name: str) -> bool:
    """Whether a GET is answered with status 200 and this name."""
    return get(port, timeout_s=2) == (200, name)


def wait_answered(port: int, name: str, *, within_s: float = 20, host: str = "127.0.0.1") -> None:
    """Return when a GET is answered with status 200 and this name."""
    what = f"{name} answers on {host}:{port}"
    wait_for(lambda: get(port, host=host) == (200, name), within_s, what)


def version_of(binary: str) -> str:
    """Return what the program says it is."""
    return subprocess.run(
        [binary, "-v"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]
