"""Calls to services from every host all the while, and what became of them.

A client dies with its host.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.load import Load
from lab.host import Host

if TYPE_CHECKING:
    from tests.chaos.world import Service

# Calls a second of each client; two clients for each host and service: new connections, and a kept
# one.
RATE = 8.0


@dataclass(frozen=True, slots=True)
class Called:
    """What the clients of one service on one host saw."""

    host: str
    service: "Service"
    load: Load

    def lost(self) -> list[tuple[int, str]]:
        """Return when each of the lost calls began, and how it was lost; the first hundred of each
        client.
        """
        return [(began_ns, how) for began_ns, _, how in self.load.moments()]

    def wrong(self) -> dict[str, int]:
        """Return how many replies other services gave (I1)."""
        return {how: count for how, count in self.load.lost().items() if how.startswith("reply of")}


class Calls:
    """All clients; `end` collects what they saw."""

    def __init__(self, hosts: Sequence[Host], services: Sequence["Service"]) -> None:
        pairs = [(host, service) for service in services for host in hosts]
        with ThreadPoolExecutor(len(pairs)) as pool:
            self._loads = list(
                pool.map(
                    lambda pair: (*pair, pair[0].load(pair[1].port, pair[1].name, rate=RATE)), pairs
                )
            )
        self.seen: list[Called] = []

    def end(self) -> list[Called]:
        """Stop calling; whoever died with the host has nothing to tell."""
        for host, service, load in self._loads:
            try:
                load.end()
            except json.JSONDecodeError:
                continue
            self.seen.append(Called(host.name, service, load))
        self._loads = []
        return self.seen
