"""Read containers from the JSON of Docker's API. No I/O; the only place that knows that JSON."""

import re
import signal
from calendar import timegm
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any

from catalog.errors import Rejected
from catalog.values.rules import CONTAINER_ID, PORT_MAX
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
from register.docker.part import Part, shown

SIGRTMIN, SIGRTMAX = 34, 64  # as glibc and Docker count them (github.com/moby/sys signal_linux.go)
_RESTARTED = ("always", "unless-stopped", "on-failure")  # we end with a status that is a failure
_RUNNING: Mapping[str, bool] = {
    **dict.fromkeys(("running", "paused", "restarting"), True),
    **dict.fromkeys(("created", "exited", "dead", "removing"), False),
}
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_HEX = re.compile(r"[0-9a-f]+")
_TIME = re.compile(  # RFC 3339, nanoseconds
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)"
)
_SIGNALS: Mapping[str, int] = {"RTMIN": SIGRTMIN, "RTMAX": SIGRTMAX} | {
    known.name.removeprefix("SIG"): int(known) for known in signal.Signals
}


def row_id(document: object) -> str:
    """Return the id in one row of the reply to GET /containers/json. Raises Rejected."""
    return _id(Part("list", document, odd=[]))


def parse_row(document: object) -> Neighbour:
    """Return the container in one row of the reply to GET /containers/json."""
    row = Part("list", document, odd=[])
    names = [name for name in row.items("Names") if isinstance(name, str)]
    networks = _networks(row.part("NetworkSettings").part("Networks"))
    addresses = tuple(ip for network in networks for ip in network.addresses)

    name = shown(names[0].lstrip("/")) if names else ""
    return Neighbour(name or row.text("Id")[:12], addresses)


def parse_bridges(document: object) -> Bridges:
    """Return the subnets of all bridges in the reply to GET /networks; odd ones are left out."""
    found: list[IPv4Network | IPv6Network] = []
    for row in document if isinstance(document, list) else []:
        with suppress(Rejected):
            part = Part("networks", row, odd=[])
            if part.text("Driver") == "bridge":
                found += _subnets(part.part("IPAM").items("Config"))
    return tuple(sorted(found, key=str))


def _subnets(items: list[Any]) -> Iterator[IPv4Network | IPv6Network]:
    for item in items:
        with suppress(Rejected, ValueError):
            yield ip_network(Part("networks", item, odd=[]).text("Subnet"), strict=False)


def parse_inspect(document: object) -> Container:
    """Return the container in the reply to GET /containers/<id>/json, and in it what was odd there.

    An odd field reads as empty. Raises Rejected only where nothing tells which container it is, or
    whether it runs.
    """
    odd: list[str] = []
    root = Part("inspect", document, odd)
    identity, state = _id(root), _state(root)
    config, host_config = root.part("Config"), root.part("HostConfig")
    network_settings, image = root.part("NetworkSettings"), config.text("Image")
    ports = network_settings.part("Ports")

    is_stopping = state.text("Status") == "stopping"  # Podman's word
    return Container(
        id=identity,
        name=shown(root.text("Name").lstrip("/")) or identity[:12],
        image=shown(image),
        image_is_id=_is_image_id(image, root.text("Image")),
        started_ns=_started_ns(state),
        running=_is_running(state) or is_stopping,
        paused=state.flag("Paused"),
        restarting=state.flag("Restarting"),
        stopping=is_stopping,
        is_infra=_is_infra(root.text("Path"), root.items("Args")),
        health=_health(state.part("Health").text("Status")),
        restart_count=root.whole("RestartCount"),
        is_restarted=host_config.part("RestartPolicy").text("Name") in _RESTARTED,
        status=state.text("Status"),
        start_error=state.text("Error"),
        stop_signal=parse_signal(config.scalar("StopSignal")) or STOP_SIGNAL,
        network_mode=shown(host_config.text("NetworkMode")) or "default",
        networks=_networks(network_settings.part("Networks")),
        exposed=_exposed(config.part("ExposedPorts")),
        bindings=_bindings(ports),
        # of a range, or of all that are free, Docker takes any
        asked=_bindings(host_config.part("PortBindings").quiet()),
        unclear=_unclear(ports),
        labels=MappingProxyType(config.part("Labels").texts()),
        env=MappingProxyType(_env(config)),
        odd=tuple(dict.fromkeys(odd)),
    )


def _id(part: Part) -> str:
    identity = part.get("Id")
    if not (isinstance(identity, str) and CONTAINER_ID.fullmatch(identity)):
        raise Rejected(f"{part.where}: Id {identity!a:.80} is not 64 hexadecimal digits")
    return identity


def _state(root: Part) -> Part:
    state = root.get("State")
    if not isinstance(state, dict):
        raise Rejected(f"inspect: State is {type(state).__name__} instead of an object")
    return root.part("State")


def _is_running(state: Part) -> bool:
    running, status = state.get("Running"), state.get("Status")
    if running is None or isinstance(running, bool):
        return bool(running)

    known = _RUNNING.get(status) if isinstance(status, str) else None
    if known is None:
        raise Rejected(
            f"inspect.State: Running {running!r:.40} and Status {status!r:.40} say nothing"
        )
    state.note(f"Running is {running!r:.40}, and Status {status}")
    return known


def _started_ns(state: Part) -> int:
    """Return when a container started; 0 if that cannot be read."""
    try:
        return parse_time(state.text("StartedAt"))
    except Rejected as error:
        state.note(f"StartedAt: {error}")
        return 0


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970 for RFC 3339, as Docker writes it: up to nine decimals.

    Raises Rejected.
    """
    match = _TIME.fullmatch(text)
    if not match:
        raise Rejected(f"{text!r:.80} is not an RFC 3339 time")

    *date, fraction, zone = match.groups()
    numbers = [int(part) for part in date]
    try:
        seconds = timegm((*numbers, 0, 0, 0)) - _offset_s(zone)
    except ValueError as error:
        raise Rejected(f"{text!r:.80} is no time: {error}") from error
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
    return Port(_number(number), protocol.lower() or "tcp")


def _number(text: str) -> int:
    if not (_NUMBER.fullmatch(text) and int(text) <= PORT_MAX):
        raise Rejected(f"{text!a:.80} is not a port")
    return int(text)


def _exposed(ports: Part) -> tuple[Port, ...]:
    found: set[Port] = set()
    for text in ports.names():
        try:
            found.add(_port(text))
        except Rejected as error:
            ports.note(str(error))
    return tuple(sorted(found))


def _networks(networks: Part) -> tuple[Network, ...]:
    found = [_network(shown(name), networks.part(name)) for name in networks.names()]
    return tuple(sorted(found))


def _network(name: str, part: Part) -> Network:
    return Network(name, _ip(part, "IPAddress", 4), _ip(part, "GlobalIPv6Address", 6))


def _ip(part: Part, name: str, version: int) -> str:
    """Return an address of a container on a network; empty if it has none or an odd one."""
    text = part.text(name)
    try:
        is_one = not text or ip_address(text).version == version
    except ValueError:
        is_one = False
    if not is_one:
        part.note(f"{name} {text!a:.80} is not an IPv{version} address")
    return text if is_one else ""


def _bindings(ports: Part) -> tuple[Binding, ...]:
    # An exposed port that is not published stands here with null.
    found: set[Binding] = set()
    for text in ports.names():
        for item in ports.items(text):
            try:
                if not _is_routed(item):
                    found.add(_binding(_port(text), item))
            except Rejected as error:
                ports.note(f"{text!a:.80}: {error}")
    return tuple(sorted(found))


def _is_routed(item: object) -> bool:
    """Whether a port is open at the container's own address, by gateway_mode_ipv4 or _ipv6."""
    return isinstance(item, dict) and item.get("HostPort") == ""


def _unclear(ports: Part) -> tuple[Port, ...]:
    """Return the ports that are published without a host port that can be read."""
    found: set[Port] = set()
    for text in ports.names():
        quiet = Part("", {text: ports.get(text)}, odd=[])
        with suppress(Rejected):
            if ports.get(text) and not _bindings(quiet):
                found.add(_port(text))
    return tuple(sorted(found))


def _binding(port: Port, item: object) -> Binding:
    odd: list[str] = []
    part = Part("binding", item, odd)
    host_ip, host_port = part.text("HostIp"), part.scalar("HostPort")
    if odd:
        raise Rejected(odd[0])

    try:
        if host_ip:
            ip_address(host_ip)
        return Binding(port, host_ip, _number(host_port))
    except ValueError as error:
        raise Rejected(f"HostIp {host_ip!a:.80} is not an IP address") from error
    except Rejected as error:
        raise Rejected(f"HostPort {error}") from error


def _env(config: Part) -> dict[str, str]:
    env: dict[str, str] = {}
    for item in config.items("Env"):
        if isinstance(item, str):
            name, _, value = item.partition("=")
            env[name] = value
        else:
            config.note(f"Env has {type(item).__name__} instead of str")
    return env
