"""Instances as rows: what etcd, each HAProxy and docker-register say of each. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.file_identity import file_container
from catalog.keys import CONTAINER_SHORT
from ctl.asking import Heard
from ctl.view.calling.seen import SeenPort
from ctl.view.page.settings import FILE
from ctl.view.published import Published
from ctl.view.times import ago
from ctl.view.waiting import is_up

COLUMNS = (
    "host", "container", "id", "image", "address", "state", "weight", "slot", "check", "since",
)  # fmt: skip
Row = Mapping[str, Any]


def instance_rows(
    seen: Iterable[SeenPort], records: Sequence[Published], heard: Iterable[Heard]
) -> tuple[Row, ...]:
    """Return a row for each instance; first those that the fewest hosts call."""
    ports = tuple(seen)
    of_etcd = {_name(it): it for it in records}
    servers: dict[str, dict[str, Row]] = {}
    for port in ports:
        for host, of_host in port.servers.items():
            for row in of_host:
                servers.setdefault(str(row.get("instance")), {})[host] = row

    containers = {
        (it.host, str(row.get("container"))): row
        for it in heard
        if it.side == "register"
        for row in it.answer.rows
    }
    proxies = {host for port in ports for host in port.listeners}
    rows = [
        _row(name, of_etcd.get(name), servers.get(name, {}), proxies, containers)
        for name in of_etcd.keys() | servers.keys()
    ]
    return tuple(sorted(rows, key=lambda row: (row["up"], row["host"] or "~", row["id"])))


def is_of_file(server: Row) -> bool:
    """Whether a server of HAProxy is one that a services file names."""
    id_ = str(server.get("instance")).partition(":")[0]
    service, address = str(server.get("service")), str(server.get("address"))
    return id_ == file_container(service, address)[:CONTAINER_SHORT]


def _name(published: Published) -> str:
    return f"{published.short}:{published.instance.container_port}"


def _row(
    name: str,
    record: Published | None,
    servers: Mapping[str, Row],
    proxies: Iterable[str],
    containers: Mapping[tuple[str, str], Row],
) -> Row:
    seen = list(servers.values())
    first = seen[0] if seen else {}
    since_s = [int(row["since_s"]) for row in seen if row.get("since_s") is not None]
    row: dict[str, Any] = {
        "host": None,
        "container": None,
        "id": name.partition(":")[0],
        "image": None,
        "address": first.get("address"),
        "role": first.get("role"),
        "state": _state(record, servers, set(proxies)),
        "up": sum(map(is_up, seen)),
        "weight": _joined(row.get("weight", row.get("configured_weight")) for row in seen),
        "slot": _joined(_slot(row) for row in seen),
        "check": _check(seen),
        "since": ago(min(since_s)) if since_s else None,
        "since_s": min(since_s, default=None),
        "seen": {host: dict(row) for host, row in sorted(servers.items())},
    }
    if record is None:
        return row | {"container": FILE if is_of_file(first) else None}

    instance = record.instance
    container = containers.get((record.host, record.short), {})
    return row | {
        "host": record.host,
        "container": instance.container_name or None,
        "image": instance.image or None,
        "address": record.address,
        "role": instance.role,
        "zone": instance.zone or None,
        "started_ns": container.get("started_ns"),
    }


def _state(record: Published | None, servers: Mapping[str, Row], proxies: set[str]) -> str:
    """Return how it is, in few words, with the hosts that see it otherwise."""
    if not servers:
        is_draining = record is not None and record.instance.state == "draining"
        return "draining" if is_draining else "not in HAProxy"

    states = {host: _word(row) for host, row in servers.items()}
    states |= dict.fromkeys(proxies - servers.keys(), "missing")
    words = sorted(set(states.values()))
    if len(words) == 1:
        return words[0]
    return ", ".join(
        f"{word} on {'+'.join(sorted(host for host, it in states.items() if it == word))}"
        for word in words
    )


def _word(row: Row) -> str:
    state = "draining" if row.get("draining") else str(row.get("state"))
    return f"{state} (stub)" if row.get("role") == "stub" else state


def _slot(row: Row) -> str:
    return "late" if row.get("slot") == row.get("instance") else str(row.get("slot"))


def _check(rows: Sequence[Row]) -> str | None:
    """Return what the check says, of one that fails if any does."""
    ordered = sorted(rows, key=is_up)
    said = (f"{row.get('check') or ''} {row.get('said') or ''}".strip() for row in ordered)
    return next(filter(None, said), None)


def _joined(values: Iterable[Any]) -> str | None:
    found = sorted({str(value) for value in values if value is not None})
    return "+".join(found) or None
