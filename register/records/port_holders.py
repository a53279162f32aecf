"""Which ports of the host a container has, or gets at its next start. No I/O.

A container that was only created counts: Docker binds its ports a moment later. One that has ended
counts while Docker would start it again, and for a while else: people stop and start by hand.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from catalog.records.host_ports import EVERY, HostPort
from register.reasons import because
from sidecar.status.problems import Problem

# How long the ports of an ended container are kept for it, if Docker does not start it again.
KEPT_S = 600.0
SHOWN = 400  # characters of an engine's error
_ENDPOINT = re.compile(r" \([0-9a-f]{64}\)")  # says nothing to people
_BOUND = frozenset({"created", "running", "paused", "restarting"})
_ENDED = frozenset({"exited", "stopped"})
_COMES_BACK = frozenset({"always", "unless-stopped", "on-failure"})


@dataclass(frozen=True, slots=True)
class PortHolder:
    """A container with ports of the host, and until when they are its own."""

    name: str
    ports: tuple[HostPort, ...]
    until_s: float | None  # of the monotonic clock; None: while it exists
    error: str = ""  # why its last start failed

    def problem(self) -> Problem | None:
        """Return why it does not run, if Docker could not start it."""
        if not self.error:
            return None

        right = f"`docker start {self.name}` tries again"
        return because("START_FAILED", f"{self.name} was not started: {self.error}; {right}")


def holder_of(document: object, now_s: float, before: PortHolder | None) -> PortHolder | None:
    """Return the holder that an inspected container is, if it is one; whatever is odd is none."""
    host, state = _part(document, "HostConfig"), _part(document, "State")
    status = str(state.get("Status") or "")
    if status not in _BOUND | _ENDED:
        return None

    name = str(_dict(document).get("Name") or "").lstrip("/") or "a container"
    name = "".join(c if c.isprintable() else "?" for c in name)[:80]
    error = " ".join(_ENDPOINT.sub("", str(state.get("Error") or "")).split())[:SHOWN]
    is_host = str(host.get("NetworkMode")) == "host"  # its -p is ignored
    ports = () if is_host else _ports(_part(host, "PortBindings"), name)
    if not ports and not (error and status == "created"):
        return None

    until_s = None
    restarts = str(_part(host, "RestartPolicy").get("Name") or "") in _COMES_BACK
    if status in _ENDED and not restarts and not error:
        until_s = before.until_s if before and before.until_s else now_s + KEPT_S
    return PortHolder(name, ports, until_s, error)


def _ports(bindings: dict[str, Any], by: str) -> tuple[HostPort, ...]:
    found: set[HostPort] = set()
    for inside, items in bindings.items():
        if str(inside).endswith(("/udp", "/sctp")) or not isinstance(items, list):
            continue
        for item in items:
            port = str(_dict(item).get("HostPort") or "")
            # Of a range, or of all that are free, Docker takes one that nobody has.
            if port.isascii() and port.isdigit() and 1 <= int(port) <= 65535:
                found.add(HostPort(int(port), _address(_dict(item).get("HostIp")), by))
    return tuple(sorted(found))


def _address(text: object) -> str:
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        return EVERY
    return str(address)


def _part(document: object, name: str) -> dict[str, Any]:
    return _dict(_dict(document).get(name))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
