"""One service port as the HAProxy of each host has it: its listener, servers, what is up. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from catalog.asking.answer import Answer
from ctl.asking import Heard
from ctl.view.waiting import is_up

State = Literal["ready", "stub", "down"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SeenPort:
    """A service port; `port` 0: only host names lead to it. By host: its listener, its servers."""

    service: str
    port: int
    listeners: Mapping[str, Row] = field(default_factory=dict)
    servers: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """What HAProxy speaks there."""
        return next((str(it.get("mode")) for it in self.listeners.values()), "tcp")

    @property
    def state(self) -> State:
        """What callers get on the host where it is worst: a real instance, a stub, or nobody."""
        real, stubs = self.ups
        return "ready" if real else "stub" if stubs else "down"

    @property
    def ups(self) -> tuple[int, int]:
        """How many real instances and stubs are up, on the host where they are fewest."""
        up = [
            [row.get("role") for row in self.servers.get(host, ()) if is_up(row)]
            for host in self.listeners
        ]
        real = min((roles.count("real") for roles in up), default=0)
        return real, min((roles.count("stub") for roles in up), default=0)

    @property
    def routes(self) -> tuple[str, ...]:
        """The keys of the door that lead to it on any host, those without a wildcard first."""
        found = {key for it in self.listeners.values() for key in it.get("routes", ())}
        return tuple(sorted(map(str, found), key=lambda key: (key.startswith("*"), key)))

    def listens(self, host: str) -> tuple[str, ...]:
        """Return the addresses at which this host's HAProxy has it."""
        return tuple(map(str, self.listeners[host].get("listens", ())))


def seen_ports(heard: Iterable[Heard]) -> tuple[SeenPort, ...]:
    """Return every service port that answers to EXPLAIN are about, by service and port.

    Of each host the last answer counts.
    """
    last: dict[str, Answer] = {it.host: it.answer for it in heard if it.side == "discover"}
    listeners: dict[tuple[str, int], dict[str, Row]] = {}
    servers: dict[tuple[str, int], dict[str, list[Row]]] = {}
    for host, answer in sorted(last.items()):
        if answer.status != "answer":
            continue
        for row in answer.facts.get("listeners", ()):
            listeners.setdefault(_place(row), {})[host] = row
        for row in answer.rows:
            servers.setdefault(_place(row), {}).setdefault(host, []).append(row)

    return tuple(
        SeenPort(
            *place,
            listeners[place],
            {host: tuple(rows) for host, rows in servers.get(place, {}).items()},
        )
        for place in sorted(listeners)
    )


def _place(row: Row) -> tuple[str, int]:
    port = row.get("port")
    return str(row.get("service")), port if isinstance(port, int) else 0
