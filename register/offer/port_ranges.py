"""Which ports of a container can be services: TCP, and no range for data. No I/O.

A program that publishes a hundred ports in a row (passive FTP, RTP, a game) listens on each only
for a moment, and tells its own callers which one. Nobody calls them as services.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from register.docker.container import Port
from register.offer.labels import Labels
from register.reasons import Code, because
from sidecar.status.problems import Problem

# Images with several services in a row have up to eight (a cluster on one machine), those for FTP
# ten and more.
RANGE_MIN = 10


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports in a row, the first and the last included."""

    first: Port
    last: Port

    def __contains__(self, port: Port) -> bool:
        same = port.protocol == self.first.protocol
        return same and self.first.number <= port.number <= self.last.number

    def __str__(self) -> str:
        return f"{self.first.number}-{self.last}"


def ranges_of(ports: Iterable[Port]) -> tuple[PortRange, ...]:
    """Return the ports that are a range: so many in a row that they cannot be services."""
    found: list[PortRange] = []
    row: list[Port] = []
    for port in [*sorted(ports, key=lambda port: (port.protocol, port.number)), None]:
        if port and row and port == Port(row[-1].number + 1, row[-1].protocol):
            row.append(port)
            continue
        if len(row) >= RANGE_MIN:
            found.append(PortRange(row[0], row[-1]))
        row = [port] if port else []
    return tuple(found)


def fit_ports(
    container: str, labels: Labels, ports: Iterable[Port]
) -> tuple[list[int], Mapping[str, Problem]]:
    """Return the TCP ports that can be services, and why others cannot."""
    ports = tuple(ports)
    ranges = ranges_of(ports)
    single = [port for port in ports if _is_picked(labels, port) or not _is_in(ranges, port)]
    fit = [port.number for port in single if port.protocol == "tcp"]

    reasons: dict[str, Problem] = {}
    for port in single:
        if port.protocol != "tcp":
            text = f"port {port} of {container} is not TCP"
            labelled = port.number in labels.by_port
            reasons[f"{container}:{port}"] = because(_code_of(port), text, labelled=labelled)
    for each in ranges:
        reasons[f"{container}:{each}"] = _why_not(container, labels, each, is_all=not fit)
    return fit, reasons


def _is_picked(labels: Labels, port: Port) -> bool:
    named = (*labels.by_port, labels.web_port)
    return port.protocol == "tcp" and port.number in named


def _is_in(ranges: Iterable[PortRange], port: Port) -> bool:
    return any(port in each for each in ranges)


def _why_not(container: str, labels: Labels, ports: PortRange, *, is_all: bool) -> Problem:
    """Return one reason for a whole range: a hundred of them would hide all others."""
    where = f"ports {ports} of {container}"
    if ports.first.protocol != "tcp":
        return because(_code_of(ports.first), f"{where} are not TCP", labelled=False)

    help_ = f"the label SERVICE_{ports.first}_NAME=<name> makes one of them a service"
    labelled = labels.asks() or is_all
    return because("IN_RANGE", f"{where} are a range: {help_}", labelled=labelled)


def _code_of(port: Port) -> Code:
    return "UDP_PORT" if port.protocol == "udp" else "SCTP_PORT"
