"""Ports that belong to the host itself, unless somebody asks for them by name. No I/O."""

import re
from dataclasses import dataclass

from catalog.errors import Rejected
from catalog.values.rules import PORT_MAX

# Those that only root may listen on, and of well-known programs of a host: Tandem's own, Docker's
# (2375, 2376), etcd's (2379, 2380; 4001, 7001 of old) and those of Kubernetes (6443, 10250).
RESERVED = "1-1023,1936,2375,2376,2379,2380,4001,6443,7001,9301,9302,10250"
_PART = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class PortSet:
    """Ports as pairs of the first and the last of a range."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ranges)

    def __str__(self) -> str:
        parts = (f"{first}-{last}" if last > first else f"{first}" for first, last in self.ranges)
        return ",".join(parts) or "off"


NONE = PortSet()


def port_set(text: str) -> PortSet:
    """Return the ports in `22,1000-1023`; none for `off`. Raises Rejected."""
    if text.strip().lower() == "off":
        return NONE

    return PortSet(tuple(_range(part.strip()) for part in text.split(",") if part.strip()))


def _range(text: str) -> tuple[int, int]:
    match = _PART.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or first) if match else 0
    if not 1 <= first <= last <= PORT_MAX:
        raise Rejected(f"{text!r:.40} is no port and no range of ports such as 1-1023")
    return first, last
