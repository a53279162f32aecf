"""`tandem intercept` as a process, and calls with and without what it asks for."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX
from tests.parts.wait import wait_for


def reach(etcd: Etcd) -> dict[str, str]:
    return {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX}


def run(etcd: Etcd, *words: str, user: str = "anna", command: str = "intercept") -> tuple[int, str]:
    """Run `tandem intercept`, or another command; return its exit status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "ctl", command, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **reach(etcd), "LOGNAME": user},
    )
    return done.returncode, done.stdout


class Tandem:
    """`tandem intercept` as a process, and what it has said."""

    def __init__(self, etcd: Etcd, folder: Path, *words: str, user: str = "anna") -> None:
        self._out = folder / f"tandem-{free_port()}"
        command = [sys.executable, "-m", "ctl", "intercept", *words]
        environ = {**os.environ, **reach(etcd), "LOGNAME": user}
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environ
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    def wait_said(self, text: str, within_s: float = 20) -> None:
        wait_for(lambda: text in self.said, within_s, f"tandem says {text!r}")

    def status(self) -> int:
        return self.process.wait(30)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.status()


@contextlib.contextmanager
def intercepting(etcd: Etcd, folder: Path, *words: str, user: str = "anna") -> Iterator[Tandem]:
    tandem = Tandem(etcd, folder, *words, user=user)
    try:
        yield tandem
    finally:
        print(tandem.said)
        tandem.process.kill()
        tandem.process.wait(10)


def get(port: int, path: str = "/", *, at: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(at, port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
