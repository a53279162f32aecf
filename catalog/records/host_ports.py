"""The ports of a host that its containers have or want, as they stand under hosts/<host>/ports.

No I/O. docker-register writes it; that host's docker-discover keeps HAProxy off these ports.
"""

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from catalog.errors import Rejected
from catalog.records.json_object import object_of
from catalog.values.rules import PORT_MAX, TEXT

VERSION = 1
# A host has a few dozen; many more in one value would only fill every host's memory.
PORTS_MAX = 1024
BYTES_MAX = 256 * 1024
EVERY = ""


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A port that a container has on its host, at one address or, if that is empty, at all."""

    port: int
    address: str
    # for people: which container, and how it stands
    by: str


def encode(ports: Iterable[HostPort]) -> bytes:
    """Return the canonical JSON: the same ports give the same bytes."""
    rows = [
        {"address": each.address, "by": each.by, "port": each.port}
        for each in sorted(set(ports))[:PORTS_MAX]
    ]
    return json.dumps({"ports": rows, "v": VERSION}, separators=(",", ":")).encode()


def decode(value: bytes) -> tuple[HostPort, ...]:
    """Return the ports, ignoring unknown fields. Raises Rejected."""
    document = object_of(value, "host ports", BYTES_MAX)
    if document.get("v") != VERSION:
        raise Rejected(f'host ports: {value!r:.60} is not like {{"ports":[],"v":{VERSION}}}')

    rows = document.get("ports")
    if not isinstance(rows, list) or len(rows) > PORTS_MAX:
        raise Rejected(f"host ports: ports is no list of at most {PORTS_MAX}")
    return tuple(sorted(set(map(_host_port, rows))))


def _host_port(row: Any) -> HostPort:
    if not isinstance(row, dict):
        raise Rejected(f"host ports: {row!r:.60} is not an object")

    port, address, by = row.get("port"), row.get("address"), row.get("by")
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= PORT_MAX:
        raise Rejected(f"host ports: {port!r:.40} is not a port from 1 to {PORT_MAX}")
    if not isinstance(by, str) or not TEXT.fullmatch(by):
        raise Rejected(f"host ports: {by!r:.40} is not a printable text")
    return HostPort(port, _address(address), by)


def _address(text: object) -> str:
    if text == EVERY:
        return EVERY
    try:
        return str(ipaddress.ip_address(text if isinstance(text, str) else ""))
    except ValueError as error:
        raise Rejected(f"host ports: {text!r:.60} is no IP address") from error
