"""One service of a pair from the images: its containers, what callers see of it, and calls without
pause.
"""

import itertools
import threading

from tests.parts.engine import Container, Pair
from tests.parts.wait import wait_for

_ports = itertools.count(8101)


class Service:
    """One service with a port of its own, its containers, and what callers see of it."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.port = next(_ports)
        self.name = f"s{self.port}"
        self._ran: list[Container] = []

    def run(self, *flags: str, name: str = "", **environment: str) -> Container:
        """Start one more container of it, published on a port that Docker chooses."""
        settings = {"SERVICE_NAME": self.name, "PORTS": str(self.port), **environment}
        settings = {key: value for key, value in settings.items() if value}

        published = ("-p", str(self.port), *flags)
        container = self.pair.engine.run(
            "tandem-whoami", *published, name=name, command=(), **settings
        )
        self._ran.append(container)
        return container

    def call(self, port: int | None = None) -> str:
        """Return the short id of the container that answers a call through HAProxy; raises
        OSError.
        """
        reply = self.pair.get(port or self.port)
        assert reply.status == 200, reply
        return reply.text.split()[1]

    def answered_by(self, calls: int = 8) -> set[str]:
        return {self.call() for _ in range(calls)}

    def wait_answered_by(self, *containers: Container, within_s: float = 15) -> None:
        """Return when these and only these answer."""
        wanted = {container.short for container in containers}
        wait_for(
            lambda: self.answered_by() == wanted, within_s, f"{self.name} is answered by {wanted}"
        )

    def keys(self) -> list[str]:
        """Return the last part of each instance key of this service."""
        return [
            key.rpartition("/")[2] for key in self.pair.keys() if f"/instances/{self.name}/" in key
        ]

    def wait_keys(self, *containers: Container, within_s: float = 15) -> None:
        wanted = sorted(f"{container.short}:{self.port}" for container in containers)
        wait_for(
            lambda: sorted(self.keys()) == wanted, within_s, f"keys of {self.name} are {wanted}"
        )

    def states(self) -> set[str]:
        """Return the states that its records have now."""
        found = self.pair.etcdctl("get", "--prefix", "/services/", "--print-value-only")
        records = [line for line in found.splitlines() if f'"service":"{self.name}"' in line]
        return {
            state
            for record in records
            for state in ("ready", "draining")
            if f'"state":"{state}"' in record
        }

    def remove(self) -> None:
        for container in self._ran:
            container_gone(container)


def container_gone(container: Container) -> None:
    """Remove a container, whatever state it is in."""
    container.do("rm", "-f", "-v")


class Calls:
    """Calls a service without pause on a thread, and keeps who answered and what failed."""

    def __init__(self, service: Service) -> None:
        self.failures: list[str] = []
        self.done = 0
        self.answered_by: set[str] = set()
        self.last = ""  # who answered the last call; empty if nobody did
        self.unanswered = 0  # calls in a row, up to the last one
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="calls")

    def __enter__(self) -> "Calls":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            try:
                self.last = self._service.call()
                self.unanswered = 0
                self.answered_by.add(self.last)
                self.done += 1
            except (OSError, AssertionError) as error:
                self.last = ""
                self.unanswered += 1
                self.failures.append(repr(error))

    def wait_for_more(self, count: int = 50) -> None:
        before = self.done
        wait_for(lambda: self.done > before + count, 30, "calls go on")

    def wait_answered_by(self, container: Container) -> None:
        wait_for(lambda: self.last == container.short, 20, f"{container.short} answers")

    def wait_unanswered(self, count: int = 20) -> None:
        """Return when so many calls in a row have failed."""
        wait_for(lambda: self.unanswered >= count, 20, "nobody answers")
