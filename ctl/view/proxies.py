"""Hosts as rows: what their docker-discover has applied, who is behind or silent. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctl.asking import Heard
from ctl.fleet import Fleet

COLUMNS = {
    "table": ("host", "version", "haproxy", "revision", "behind", "state"),
    "wide": ("host", "version", "haproxy", "revision", "behind", "state", "zone", "listens"),
}


def proxy_rows(fleet: Fleet, heard: Iterable[Heard], revision: int) -> Sequence[Mapping[str, Any]]:
    """Return a row for each host; `revision` is that of the question."""
    applied = {it.host: it.answer.facts for it in heard if it.answer.status == "answer"}
    rows = [_row(host, fleet, applied.get(host), revision) for host in sorted(fleet.proxies)]
    rows += [
        {"host": host, "state": "no docker-discover that says it is there"}
        for host in sorted(fleet.owners - fleet.proxies.keys())
    ]
    return sorted(rows, key=lambda row: (row["state"] == "SYNCED", row["host"]))


def _row(
    host: str, fleet: Fleet, facts: Mapping[str, Any] | None, revision: int
) -> Mapping[str, Any]:
    presence = fleet.proxies[host]
    row: dict[str, Any] = {
        "host": host,
        "version": presence.version,
        "haproxy": presence.haproxy,
        "zone": presence.zone,
        "listens": list(presence.listens),
    }
    if facts is None:
        return row | {"state": "silent"}

    reached = int(facts.get("revision", 0))
    behind = max(0, revision - reached)
    state = f"behind {behind}" if behind else "SYNCED"
    if presence.not_ready:
        state = f"not ready: {presence.not_ready}"
    return row | {"revision": reached, "behind": behind, "state": state}
