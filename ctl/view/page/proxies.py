"""How each docker-discover sees a service: its revision, servers that are up, sessions. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.calling.seen import SeenPort
from ctl.view.waiting import is_up

COLUMNS = ("host", "revision", "up", "down", "stubs", "sessions", "listens", "state", "new_within")
Row = Mapping[str, Any]


def proxy_rows(fleet: Fleet, heard: Iterable[Heard], seen: Iterable[SeenPort]) -> tuple[Row, ...]:
    """Return a row for each docker-discover."""
    last = {it.host: it for it in heard if it.side == "discover"}
    ports = tuple(seen)
    return tuple(_row(host, last.get(host), ports) for host in sorted(fleet.proxies))


def _row(host: str, heard: Heard | None, ports: tuple[SeenPort, ...]) -> Row:
    row: dict[str, Any] = {"host": host}
    if heard is None:
        return row | {"state": "silent"}
    if heard.answer.status in ("failed", "unknown"):
        return row | {"state": heard.answer.text}

    facts = heard.answer.facts
    servers = [server for port in ports for server in port.servers.get(host, ())]
    real = [server for server in servers if server.get("role") == "real"]
    up = [server for server in real if is_up(server)]
    is_late = _number(facts, "revision") < _number(facts, "etcd_revision")
    return row | {
        "revision": facts.get("revision"),
        "up": len(up),
        "down": len(real) - len(up),
        "stubs": sum(is_up(it) for it in servers if it.get("role") == "stub"),
        "sessions": sum(_number(server, "sessions") for server in servers),
        "listens": [
            address
            for port in ports
            if host in port.listeners
            for address in (*port.listens(host), *port.listeners[host].get("routes", ()))
        ],
        "state": "behind" if is_late else "SYNCED" if servers else "runs nothing of it",
        "new_within": new_within(facts),
        "start_to_applied": facts.get("start_to_applied"),
    }


def new_within(facts: Row) -> str | None:
    """Return within what time nine of ten started containers, of any service, come into HAProxy."""
    starts = facts.get("start_to_applied")
    if not isinstance(starts, dict):
        return None
    parts = [
        f"{_number(starts[where], 'p90_ms')} ms {where}"
        for where in ("own", "other")
        if isinstance(starts.get(where), dict)
    ]
    return ", ".join(parts) or None


def _number(row: Row, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0
