"""One service of a fleet: its containers on each host, and what callers on each host see of it."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from bench.load import Load
from catalog.keys import CONTAINER_SHORT
from lab.fleet import Fleet
from lab.host import Host
from lab.wait import wait_for
from tests.parts.fleet.invariants import settle

FOLDER = Path(__file__).parents[3] / ".run" / "fleet"
CALLED_S = 20.0
_ports = itertools.count(8101)


class Service:
    """One service with a port of its own, and what callers on each host see of it."""

    def __init__(self, fleet: Fleet, mode: str = "http") -> None:
        self.fleet = fleet
        self.port = next(_ports)
        self.name = f"s{self.port}"
        self.mode = mode

    def run(self, host: Host, *flags: str, **environment: str) -> str:
        """Start one more container of it; returns its full id."""
        return host.whoami(self.name, self.port, *flags, SERVICE_MODE=self.mode, **environment)

    def run_on(self, *hosts: Host, **environment: str) -> list[str]:
        """Start a container on each host, and return when every host calls all of them."""
        ids = [self.run(host, **environment) for host in hosts]
        self.wait_answered_by(*ids)
        settle(self.fleet)
        return ids

    def answered_by(self, host: Host, calls: int = 8) -> set[str]:
        """Return the short ids of who answers calls from a host; raises OSError, also for a status
        that is not 200.
        """
        return {self.call(host) for _ in range(calls)}

    def call(self, host: Host) -> str:
        reply = host.get(self.port)
        if reply.status != 200 or reply.words[0] != self.name:
            raise OSError(f"{host.name}: {reply}")
        return reply.words[1]

    def wait_answered_by(
        self, *ids: str, hosts: list[Host] | None = None, within_s: float = CALLED_S
    ) -> None:
        """Return when these and only these answer, on all hosts."""
        wanted = {each[:CONTAINER_SHORT] for each in ids}
        for host in hosts or self.fleet.hosts:
            wait_for(
                lambda at=host: self.answered_by(at) == wanted,  # type: ignore[misc]
                within_s,
                f"{self.name} on {host.name} is answered by {sorted(wanted)}",
            )

    @contextlib.contextmanager
    def load(self, *hosts: Host, rate: float = 40) -> Iterator[list[Load]]:
        """Call it from these hosts meanwhile, on new connections and on kept ones."""
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(host.load(self.port, self.name, rate=rate)) for host in hosts
            ]
