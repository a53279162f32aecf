"""docker-discover as a process of its own, with its HAProxy, on free ports; for tests of what it
does.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from catalog.records.record import Instance
from tests.parts.etcd import Etcd
from tests.parts.haproxy import RealHAProxy, get
from tests.parts.ports import free_port
from tests.parts.records import entry
from tests.parts.wait import wait_for


class Discover:
    """One docker-discover; `log` is all it has said, in all its lives."""

    program = ("-m", "discover")  # for Python; a test may build a fault in

    def __init__(self, folder: Path, etcd_host: str, *flags: str) -> None:
        folder.chmod(0o755)
        self.folder = folder
        self.haproxy = RealHAProxy(folder, "machine")
        self.stats, self.metrics = free_port(), free_port()
        self.template = folder / "haproxy.cfg.j2"
        self.flags = [
            *("--etcd-host", etcd_host, "--state-dir", str(folder), "--run-dir", str(folder)),
            *("--stats", f"127.0.0.1:{self.stats}", "--metrics", f"127.0.0.1:{self.metrics}"),
            *("--bind", "127.0.0.1", *flags),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._lives = 0

    def __enter__(self) -> Self:
        """Start it, and return when it is ready."""
        self.start()
        try:
            self.wait_ready()
            self.wait_known()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is not None:
            print(self.log)
        self.end()

    def start(self) -> None:
        """Start it, and do not wait."""
        # A log for each life: HAProxy goes on writing to that of the life that started it.
        self._lives += 1
        with (self.folder / f"discover-{self._lives}.log").open("wb") as log:
            command = [sys.executable, *self.program, *self.flags]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it as a crash does; its HAProxy stays."""
        self.stop(signal.SIGKILL)

    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal and return its exit status; its HAProxy stays."""
        if self._process is None:
            return 0
        os.kill(self._process.pid, number)
        status = self._process.wait(15)
        self._process = None
        return status

    def exit_status(self) -> int:
        """Wait for its own end."""
        assert self._process is not None
        status = self._process.wait(20)
        self._process = None
        return status

    def runs_with(self, line: str) -> bool:
        """Whether the configuration in use has this line."""
        return line in self.haproxy.config.read_text()

    def end(self) -> None:
        """End it and its HAProxy."""
        self.kill()
        self.haproxy.end()

    @property
    def log(self) -> str:
        return "".join(
            (self.folder / f"discover-{n}.log").read_text() for n in range(1, self._lives + 1)
        )

    def explain(self) -> dict[str, Any]:
        """Return what it tells at /explain."""
        told: dict[str, Any] = json.loads(get(self.metrics, "/explain")[1])
        return told

    def wait_refused(self, code: str, words: str, within_s: float = 10) -> None:
        """Return when it tells at /explain of a refusal with this code and these words."""

        def is_told() -> bool:
            refused = self.explain()["refused"].values()
            return any(it["code"] == code and words in it["text"] for it in refused)

        wait_for(is_told, within_s, f"{code} with {words!r}")

    def reloads(self) -> int:
        """Return how often it said that it reloaded HAProxy."""
        return self.log.count("reloaded why=")

    def applied_revision(self) -> int:
        """Return the revision of etcd that HAProxy serves."""
        metrics = get(self.metrics, "/metrics")[1]
        found = re.search(r"^tandem_discover_catalog_revision (\S+)", metrics, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def ready(self) -> bool:
        return get(self.metrics, "/readyz")[0] == 200

    def wait_ready(self, within_s: float = 20) -> None:
        wait_for(self.ready, within_s, "docker-discover is ready")

    def wait_known(self) -> None:
        """Return when it has written that it is there, so that a test can count writes."""
        told = ("others can ask", "nobody can be told")
        life = self.folder / f"discover-{self._lives}.log"
        wait_for(
            lambda: any(word in life.read_text() for word in told), 10, "it tells that it is there"
        )

    def wait_said(self, text: str, within_s: float = 10) -> None:
        wait_for(lambda: text in self.log, within_s, f"docker-discover says {text!r}")


@contextmanager
def discovering(
    folder: Path, etcd_host: str, *flags: str, kind: type[Discover] = Discover
) -> Iterator[Discover]:
    """Run docker-discover in a new folder, and give it once it is ready."""
    folder.mkdir()
    folder.parent.chmod(0o755)
    with kind(folder, etcd_host, *flags) as it:
        yield it


def publish(etcd: Etcd, *records: Instance) -> None:
    """Put records as a registrar would, without its lease."""
    for record in records:
        it = entry(record)
        etcd.ctl("put", it.key, it.value.decode())


def withdraw(etcd: Etcd, *records: Instance) -> None:
    """Delete records."""
    for record in records:
        etcd.ctl("del", entry(record).key)


def discover_command(*flags: str) -> subprocess.CompletedProcess[str]:
    """Run docker-discover with a flag that makes it end, such as --check."""
    command = [sys.executable, "-m", "discover", *flags, "--bind", "127.0.0.1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
