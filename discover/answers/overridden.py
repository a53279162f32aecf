"""What draining some instances leaves to callers, and how far it is: rows for people. No I/O."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from discover.answers.proxy_facts import Stats, all_listeners, is_instance, rows_about
from discover.apply.running import Running
from discover.model.proxy_config import Listener, Server
from discover.snapshot.snapshot import Snapshot

NAMED_MAX = 20  # instances in one row


@dataclass(frozen=True, slots=True)
class Target:
    """Which instances are asked about; what is empty may be any."""

    service: str = ""
    host: str = ""
    instance: str = ""

    def has(self, listener: Listener, server: Server, on_host: Collection[str]) -> bool:
        """Whether a server is one of them; `on_host` are the instances of the host."""
        if self.service and listener.service != self.service:
            return False
        if self.host and server.name not in on_host:
            return False
        return not self.instance or is_instance(server, self.instance)


def target_of(arguments: Mapping[str, str]) -> Target:
    """Return which instances a question is about."""
    return Target(*(arguments.get(name, "") for name in ("service", "host", "instance")))


def instances_on(snapshot: Snapshot, host: str) -> frozenset[str]:
    """Return the names of a host's instances."""
    return frozenset(
        record.key.name
        for service in snapshot.services.values()
        for record in service.records.values()
        if record.key.host == host
    )


def concerned(
    running: Running, target: Target, on_host: frozenset[str]
) -> Mapping[str, frozenset[str]]:
    """Return the servers that are asked about, by the name of their listener."""
    found = {
        listener.name: frozenset(
            server.name for server in listener.servers if target.has(listener, server, on_host)
        )
        for listener in all_listeners(running)
    }
    return {name: servers for name, servers in found.items() if servers}


def rows_left(
    running: Running,
    listeners: Iterable[Listener],
    servers: Mapping[str, frozenset[str]],
    stats: Stats,
    old: Sequence[Stats],
) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each listener: how many are called now, and how many are left without these.

    `old` are the tables of old workers. They have other slots, so a server is told by its address.
    """
    for listener in listeners:
        rows = tuple(rows_about(running, (listener,), "", stats))
        ours = [row for row in rows if row["instance"] in servers[listener.name]]
        others = [row for row in rows if row["instance"] not in servers[listener.name]]
        addresses = {str(row["address"]) for row in ours}
        sessions = [int(row.get("sessions", 0)) for row in ours]
        sessions += [_sessions(table, listener.name, addresses) for table in old]
        yield {
            "service": listener.service,
            "port": listener.port,
            "instances": sorted(row["instance"] for row in ours)[:NAMED_MAX],
            "concerned": len(ours),
            "draining": sum(bool(row["draining"]) for row in ours),
            "up": sum(_is_called(row, "real") for row in ours),
            "left": sum(_is_called(row, "real") for row in others),
            "stubs_left": sum(_is_called(row, "stub") for row in others),
            "sessions": sum(sessions),
        }


def _is_called(row: Mapping[str, Any], role: str) -> bool:
    """Whether HAProxy sends new calls to a server of this role."""
    is_up = str(row["state"]).startswith(("UP", "no check"))
    return is_up and row["role"] == role and not row["draining"] and row["configured_weight"] > 0


def _sessions(table: Stats, proxy: str, addresses: Collection[str]) -> int:
    return sum(
        int(columns.get("scur") or 0)
        for (name, _server), columns in table.items()
        if name == proxy and columns.get("addr", "") in addresses
    )
