"""docker-register as a process of its own, beside a real etcd and the real engine."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from catalog.asking.said_keys import refused_key
from catalog.errors import Unavailable
from catalog.keys import InstanceKey, parse_key, root
from catalog.records.record import Instance, decode
from catalog.store import Event, Store
from tests.parts.etcd import Etcd
from tests.parts.ports import free_ports
from tests.parts.store import Reader
from tests.parts.wait import wait_for

PREFIX = "/services"


class Register:
    """One docker-register; only containers that ask are published, so that others of this machine
    stay outside.
    """

    def __init__(
        self, folder: Path, etcd: Etcd, host: str = "h1", *, wait: bool = True, **settings: str
    ) -> None:
        self._wait = wait
        self._etcd = etcd
        self.metrics = free_ports(1)[0]
        self.settings = {
            "ETCD_HOST": etcd.endpoint,
            "HOST_ID": host,
            "REGISTER": "labelled",
            "METRICS": f"127.0.0.1:{self.metrics}",
            "TTL": "5",
            **settings,
        }
        self._log = folder / f"register-{self.metrics}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Register":
        self.start(wait=self._wait)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end(signal.SIGKILL)
        if error:
            print(self.log)

    def start(self, *, wait: bool = True) -> None:
        flags = [
            word
            for name, text in self.settings.items()
            for word in (f"--{name.lower().replace('_', '-')}", text)
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "register", *flags], stdout=log, stderr=log
            )
        if wait:
            wait_for(self.is_ready, 20, "docker-register is ready")
            self._wait_told()

    def _wait_told(self) -> None:
        """Return when it has told what it refuses, so that a test can count writes.

        Without the host's lease, or the right to, it never does.
        """
        key = refused_key(PREFIX, self.settings["HOST_ID"])
        store = Store(self._etcd.access)
        with contextlib.suppress(AssertionError, Unavailable, OSError):
            wait_for(lambda: store.get(key) is not None, 1, "it tells what it refuses")
        store.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(15)
        self._process = None
        return status

    def exit_status(self) -> int:
        """Wait for its own end."""
        assert self._process is not None
        return self._process.wait(15)

    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        status, text = self.get("/readyz")
        assert status == 200, text
        return True

    def lists(self) -> float:
        """Return how many lists of the engine were good."""
        good = 'tandem_register_lists_total{outcome="good"'
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(good))

    def explain(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/explain")[1])
        return found


class Catalog:
    """What stands in etcd, by service."""

    def __init__(self, etcd: Etcd) -> None:
        self._store = Store(etcd.access)

    def close(self) -> None:
        self._store.close()

    def entries(self) -> dict[str, bytes]:
        return {entry.key: entry.value for entry in self._store.list(root(PREFIX)).entries}

    def revision(self) -> int:
        return self._store.list(PREFIX).revision

    def instance(self, service: str) -> Instance | None:
        for key, value in self.entries().items():
            match parse_key(PREFIX, key):
                case InstanceKey(_, name, _, _) if name == service:
                    return decode(value)
        return None

    def state(self, service: str) -> str | None:
        found = self.instance(service)
        return found.state if found else None

    def port(self, service: str) -> int | None:
        found = self.instance(service)
        return found.port if found else None


class Changes:
    """All changes of the catalog from now on."""

    def __init__(self, catalog: Catalog) -> None:
        self.events: list[Event] = []
        self._reader = Reader(catalog._store.watch(PREFIX, catalog.revision()))

    def __enter__(self) -> "Changes":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.__exit__(None, None, None)

    def of(self, service: str, catalog: Catalog) -> list[str]:
        """Return put and delete events of a service's instances up to now."""
        last = catalog.revision()
        while not self.events or self.events[-1].revision < last:
            try:
                self.events += self._reader.batch(0.5).events
            except AssertionError:
                break

        own = [event for event in self.events if f"/{service}/" in event.key]
        return ["put" if event.entry else "delete" for event in own]
