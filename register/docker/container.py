"""Our own Container, and how to read one from Docker's inspect. No I/O; the only place that knows its JSON."""

import re
import signal
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from catalog.errors import Rejected
from catalog.rules import CONTAINER_ID

Health = Literal["starting", "healthy", "unhealthy"]
_T = TypeVar("_T")

SHOWN = 255  # characters of a name that are kept, as many as a record takes
STOP_SIGNAL = int(signal.SIGTERM)  # Docker's default when neither image nor container names one
SIGRTMIN, SIGRTMAX = 34, 64  # as glibc and Docker count them (github.com/moby/sys signal_linux.go)
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)"  # RFC 3339, nanoseconds
)


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port inside the container."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return str(self.number) if self.protocol == "tcp" else f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """A published port: where on the host, and which port of the container. An empty host_ip means every address."""

    port: Port
    host_ip: str
    host_port: int


@dataclass(frozen=True, slots=True, order=True)
class Network:
    """A network that the container is on; an address it lacks is empty."""

    name: str
    ip4: str = ""
    ip6: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The container's addresses there, IPv4 first."""
        return tuple(ip for ip in (self.ip4, self.ip6) if ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container as the rest of the registrar sees it. `env` and `labels` hold the image's defaults as well."""

    id: str
    name: str
    image: str
    started_ns: int  # since 1970 by the engine's clock, as its events count
    running: bool = True
    paused: bool = False
    restarting: bool = False
    health: Health | None = None
    restart_count: int = 0
    stop_signal: int = STOP_SIGNAL
    network_mode: str = "default"
    networks: tuple[Network, ...] = ()
    exposed: tuple[Port, ...] = ()
    bindings: tuple[Binding, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own addresses on all its networks."""
        return tuple(ip for network in self.networks for ip in network.addresses)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """As much of a container as a list tells: its name, and its own addresses on all its networks."""

    name: str
    addresses: tuple[str, ...]


def parse_row(document: object) -> Neighbour:
    """Return the container in one row of the reply to GET /containers/json. Raises Rejected."""
    row = _Part("list", document)
    names = [name for name in row.items("Names") if isinstance(name, str)]
    networks = _networks(row.part("NetworkSettings").part("Networks"))
    name = _shown(names[0].lstrip("/")) if names else ""
    return Neighbour(
        name or row.text("Id")[:12], tuple(ip for network in networks for ip in network.addresses)
    )


def parse_inspect(document: object) -> Container:
    """Return the container in the reply to GET /containers/<id>/json. Raises Rejected with the field that is odd."""
    root = _Part("inspect", document)
    config, state, network_settings = (
        root.part("Config"),
        root.part("State"),
        root.part("NetworkSettings"),
    )
    identity = root.text("Id")
    if not CONTAINER_ID.fullmatch(identity):
        raise Rejected(f"inspect: Id {identity!r:.80} is not 64 hexadecimal digits")
    return Container(
        id=identity,
        name=_shown(root.text("Name").lstrip("/")) or identity[:12],
        image=_shown(config.text("Image")),
        started_ns=parse_time(state.text("StartedAt")),
        running=state.flag("Running"),
        paused=state.flag("Paused"),
        restarting=state.flag("Restarting"),
        health=_health(state.part("Health").text("Status")),
        restart_count=root.whole("RestartCount"),
        stop_signal=parse_signal(config.text("StopSignal")) or STOP_SIGNAL,
        network_mode=root.part("HostConfig").text("NetworkMode") or "default",
        networks=_networks(network_settings.part("Networks")),
        exposed=tuple(sorted(_port(text) for text in config.part("ExposedPorts").names())),
        bindings=_bindings(network_settings.part("Ports")),
        labels=MappingProxyType(config.part("Labels").texts()),
        env=MappingProxyType(_env(config.items("Env"))),
    )


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970 for RFC 3339, which Docker writes with up to nine decimals. Raises Rejected."""
    match = _TIME.fullmatch(text)
    if not match:
        raise Rejected(f"inspect: {text!r:.80} is not a time of RFC 3339")
    *date, fraction, zone = match.groups()
    seconds = timegm((*(int(part) for part in date), 0, 0, 0)) - _offset_s(zone)
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def _offset_s(zone: str) -> int:
    if zone == "Z":
        return 0
    hours, minutes = zone[1:].split(":")
    return (-1 if zone[0] == "-" else 1) * (int(hours) * 3600 + int(minutes) * 60)


def parse_signal(text: str) -> int | None:
    """Return a signal's number for `15`, `TERM`, `SIGTERM` or `SIGRTMIN+3`; None for anything else."""
    name = text.strip().upper()
    if _NUMBER.fullmatch(name):
        return int(name) if int(name) <= SIGRTMAX else None
    name = name.removeprefix("SIG")
    if match := re.fullmatch(r"RT(MIN\+|MAX-)(\d{1,2})", name):
        return SIGRTMIN + int(match[2]) if match[1] == "MIN+" else SIGRTMAX - int(match[2])
    by_name = {"RTMIN": SIGRTMIN, "RTMAX": SIGRTMAX} | {
        each.name[3:]: int(each) for each in signal.Signals
    }
    return by_name.get(name)


class _Part:
    """A JSON object that is read field by field; what Docker leaves out or sets to null reads as empty."""

    def __init__(self, where: str, document: object) -> None:
        if not isinstance(document, dict):
            raise Rejected(f"{where}: {type(document).__name__} instead of an object")
        self._where, self._document = where, document

    def _get(self, name: str, kind: type[_T], empty: _T) -> _T:
        value = self._document.get(name)
        if value is None:
            return empty
        if not isinstance(value, kind):
            raise Rejected(
                f"{self._where}: {name} is {type(value).__name__} instead of {kind.__name__}"
            )
        return value

    def text(self, name: str) -> str:
        return self._get(name, str, "")

    def flag(self, name: str) -> bool:
        return self._get(name, bool, False)

    def whole(self, name: str) -> int:
        return self._get(name, int, 0)

    def items(self, name: str) -> list[Any]:
        return self._get(name, list, [])

    def part(self, name: str) -> "_Part":
        return _Part(f"{self._where}.{name}", self._get(name, dict, {}))

    def names(self) -> tuple[str, ...]:
        return tuple(self._document)

    def texts(self) -> dict[str, str]:
        return {name: self.text(name) for name in self._document}


def _shown(text: str) -> str:
    """Return text that a record takes: a hostile name must not keep its container out of every answer."""
    return "".join(c if c.isprintable() else "?" for c in text)[:SHOWN]


def _health(status: str) -> Health | None:
    match status:
        case "starting" | "healthy" | "unhealthy":
            return status
    return None  # "none" and nothing: no HEALTHCHECK


def _port(text: str) -> Port:
    number, _, protocol = text.partition("/")
    if not (_NUMBER.fullmatch(number) and int(number) <= 65535):
        raise Rejected(f"inspect: {text!r:.80} is not a port")
    return Port(int(number), protocol or "tcp")


def _networks(networks: _Part) -> tuple[Network, ...]:
    parts = ((name, networks.part(name)) for name in networks.names())
    return tuple(
        sorted(
            Network(name, part.text("IPAddress"), part.text("GlobalIPv6Address"))
            for name, part in parts
        )
    )


def _bindings(ports: _Part) -> tuple[Binding, ...]:
    # An exposed port that is not published stands here with null.
    return tuple(
        sorted(_binding(_port(text), item) for text in ports.names() for item in ports.items(text))
    )


def _binding(port: Port, item: object) -> Binding:
    part = _Part(f"inspect: binding of {port}", item)
    return Binding(port, part.text("HostIp"), _port(part.text("HostPort")).number)


def _env(items: list[Any]) -> dict[str, str]:
    pairs = (item.partition("=") for item in items if isinstance(item, str))
    return {name: value for name, _, value in pairs}
