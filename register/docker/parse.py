"""Read containers from the JSON of Docker's API. No I/O; the only place that knows that JSON."""

import re
import signal
from calendar import timegm
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any, TypeVar

from catalog.errors import Rejected
from catalog.rules import CONTAINER_ID
from register.docker.container import (
    STOP_SIGNAL,
    Binding,
    Bridges,
    Container,
    HealthStatus,
    Neighbour,
    Network,
    Port,
)

_T = TypeVar("_T")

SHOWN = 255  # characters of a name that are kept, as many as a record takes
SIGRTMIN, SIGRTMAX = 34, 64  # as glibc and Docker count them (github.com/moby/sys signal_linux.go)
_RESTARTED = ("always", "unless-stopped", "on-failure")  # we end with a status that is a failure
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_HEX = re.compile(r"[0-9a-f]+")
_TIME = re.compile(  # RFC 3339, nanoseconds
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)"
)
_SIGNALS: Mapping[str, int] = {"RTMIN": SIGRTMIN, "RTMAX": SIGRTMAX} | {
    known.name.removeprefix("SIG"): int(known) for known in signal.Signals
}


def parse_row(document: object) -> Neighbour:
    """Return the container in one row of the reply to GET /containers/json. Raises Rejected."""
    row = _Part("list", document)
    names = [name for name in row.items("Names") if isinstance(name, str)]
    networks = _networks(row.part("NetworkSettings").part("Networks"))
    addresses = tuple(ip for network in networks for ip in network.addresses)

    name = _shown(names[0].lstrip("/")) if names else ""
    return Neighbour(name or row.text("Id")[:12], addresses)


def parse_bridges(document: object) -> Bridges:
    """Return the subnets of all bridges in the reply to GET /networks; odd ones are left out."""
    found: list[IPv4Network | IPv6Network] = []
    for row in document if isinstance(document, list) else []:
        with suppress(Rejected):
            part = _Part("networks", row)
            if part.text("Driver") == "bridge":
                found += _subnets(part.part("IPAM").items("Config"))
    return tuple(sorted(found, key=str))


def _subnets(items: list[Any]) -> Iterator[IPv4Network | IPv6Network]:
    for item in items:
        with suppress(Rejected, ValueError):
            yield ip_network(_Part("networks", item).text("Subnet"), strict=False)


def parse_inspect(document: object) -> Container:
    """Return the container in the reply to GET /containers/<id>/json.

    Raises Rejected with the field that is odd.
    """
    root = _Part("inspect", document)
    config, state = root.part("Config"), root.part("State")
    network_settings, host_config = root.part("NetworkSettings"), root.part("HostConfig")
    identity = root.text("Id")
    if not CONTAINER_ID.fullmatch(identity):
        raise Rejected(f"inspect: Id {identity!r:.80} is not 64 hexadecimal digits")

    is_stopping = state.text("Status") == "stopping"  # Podman's word
    ports = sorted(_port(text) for text in config.part("ExposedPorts").names())
    return Container(
        id=identity,
        name=_shown(root.text("Name").lstrip("/")) or identity[:12],
        image=_shown(config.text("Image")),
        image_is_id=_is_image_id(config.text("Image"), root.text("Image")),
        started_ns=parse_time(state.text("StartedAt")),
        running=state.flag("Running") or is_stopping,
        paused=state.flag("Paused"),
        restarting=state.flag("Restarting"),
        stopping=is_stopping,
        is_infra=_is_infra(root.text("Path"), root.items("Args")),
        health=_health(state.part("Health").text("Status")),
        restart_count=root.whole("RestartCount"),
        is_restarted=host_config.part("RestartPolicy").text("Name") in _RESTARTED,
        stop_signal=parse_signal(config.text("StopSignal")) or STOP_SIGNAL,
        network_mode=host_config.text("NetworkMode") or "default",
        networks=_networks(network_settings.part("Networks")),
        exposed=tuple(ports),
        bindings=_bindings(network_settings.part("Ports")),
        labels=MappingProxyType(config.part("Labels").texts()),
        env=MappingProxyType(_env(config.items("Env"))),
    )


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970 for RFC 3339, as Docker writes it: up to nine decimals.

    Raises Rejected.
    """
    match = _TIME.fullmatch(text)
    if not match:
        raise Rejected(f"inspect: {text!r:.80} is not an RFC 3339 time")

    *date, fraction, zone = match.groups()
    numbers = [int(part) for part in date]
    seconds = timegm((*numbers, 0, 0, 0)) - _offset_s(zone)
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def _offset_s(zone: str) -> int:
    if zone == "Z":
        return 0
    hours, minutes = zone[1:].split(":")
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if zone[0] == "-" else seconds


def parse_signal(text: str) -> int | None:
    """Return the number of `15`, `TERM`, `SIGTERM` or `SIGRTMIN+3`; None for anything else."""
    name = text.strip().upper()
    if _NUMBER.fullmatch(name):
        return int(name) if int(name) <= SIGRTMAX else None

    name = name.removeprefix("SIG")
    if match := re.fullmatch(r"RTMIN\+(\d{1,2})", name):
        return SIGRTMIN + int(match[1])
    if match := re.fullmatch(r"RTMAX-(\d{1,2})", name):
        return SIGRTMAX - int(match[1])
    return _SIGNALS.get(name)


class _Part:
    """A JSON object, read field by field; a field that is missing or null reads as empty."""

    def __init__(self, where: str, document: object) -> None:
        if not isinstance(document, dict):
            raise Rejected(f"{where}: {type(document).__name__} instead of an object")
        self._where = where
        self._document = document

    def _get(self, name: str, kind: type[_T], empty: _T) -> _T:
        value = self._document.get(name)
        if value is None:
            return empty
        if not isinstance(value, kind):
            seen = f"{type(value).__name__} instead of {kind.__name__}"
            raise Rejected(f"{self._where}: {name} is {seen}")
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
    """Return text that a record takes: a hostile name must not make its container unreadable."""
    return "".join(c if c.isprintable() else "?" for c in text)[:SHOWN]


def _is_image_id(image: str, image_id: str) -> bool:
    """Whether what a container was started from is an id, as far as it alone shows.

    Names may look like one: so the digits are compared with those of the image's id.
    """
    if not _HEX.fullmatch(image.removeprefix("sha256:")):
        return False
    digits = image_id.removeprefix("sha256:")
    # a repository's name cannot be 64 such digits
    return image.startswith("sha256:") or len(image) == 64 or digits.startswith(image)


def _health(status: str) -> HealthStatus | None:
    match status:
        case "starting" | "healthy" | "unhealthy":
            return status
    return None  # "none" and nothing: no HEALTHCHECK


def _is_infra(program: str, arguments: list[Any]) -> bool:
    # Podman's own, or Kubernetes', which `infra_image` may name.
    name = program.rpartition("/")[2]
    return (name, arguments) == ("catatonit", ["-P"]) or program == "/pause"


def _port(text: str) -> Port:
    number, _, protocol = text.partition("/")
    if not (_NUMBER.fullmatch(number) and int(number) <= 65535):
        raise Rejected(f"inspect: {text!r:.80} is not a port")
    return Port(int(number), protocol or "tcp")


def _networks(networks: _Part) -> tuple[Network, ...]:
    found = [_network(name, networks.part(name)) for name in networks.names()]
    return tuple(sorted(found))


def _network(name: str, part: _Part) -> Network:
    return Network(name, part.text("IPAddress"), part.text("GlobalIPv6Address"))


def _bindings(ports: _Part) -> tuple[Binding, ...]:
    # An exposed port that is not published stands here with null.
    found: list[Binding] = []
    for text in ports.names():
        found += [_binding(_port(text), item) for item in ports.items(text)]
    return tuple(sorted(found))


def _binding(port: Port, item: object) -> Binding:
    part = _Part(f"inspect: binding of {port}", item)
    host_ip = part.text("HostIp")
    with suppress(ValueError):
        if host_ip:
            ip_address(host_ip)
        return Binding(port, host_ip, _port(part.text("HostPort")).number)
    raise Rejected(f"inspect: binding of {port}: HostIp {host_ip!r:.80} is not an IP address")


def _env(items: list[Any]) -> dict[str, str]:
    pairs = (item.partition("=") for item in items if isinstance(item, str))
    return {name: value for name, _, value in pairs}
