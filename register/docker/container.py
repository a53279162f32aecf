"""A container as the rest of the registrar sees it. No I/O; parse.py reads it from JSON."""

import math
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Literal

HealthStatus = Literal["starting", "healthy", "unhealthy"]

STOP_SIGNAL = int(signal.SIGTERM)  # Docker's default when neither image nor container names one


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port inside the container."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return str(self.number) if self.protocol == "tcp" else f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """A published port of the container, and where on the host; no host_ip means every address."""

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
    """One container; `env` and `labels` hold the image's defaults as well."""

    id: str
    name: str
    image: str
    image_is_id: bool = False  # it was started by its image's id, or by the beginning of it
    started_ns: int  # since 1970 by the engine's clock, as its events count
    seen_s: float = math.inf  # when a list first showed this start, by our own monotonic clock
    was_there: bool = False  # this start, in the first list of all
    running: bool = True
    paused: bool = False
    restarting: bool = False
    stopping: bool = False  # its stop signal was sent; only Podman shows that
    is_infra: bool = False  # it only holds the network of a pod
    mates: tuple[str, ...] = ()  # the other containers of its pod, which have the same ports
    health: HealthStatus | None = None
    restart_count: int = 0
    is_restarted: bool = False  # by the engine, however it ends
    status: str = ""  # "created", "running", "exited" and so on, as the engine says
    start_error: str = ""  # why the engine could not start it
    stop_signal: int = STOP_SIGNAL
    network_mode: str = "default"
    networks: tuple[Network, ...] = ()
    exposed: tuple[Port, ...] = ()
    bindings: tuple[Binding, ...] = ()
    asked: tuple[Binding, ...] = ()  # ports of the host that -p names, bound or not
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unclear: tuple[Port, ...] = ()  # published without a host port that can be read
    odd: tuple[str, ...] = ()  # what could not be read and so counts as not given, a sentence each

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own addresses on all its networks."""
        return tuple(ip for network in self.networks for ip in network.addresses)


# The subnets of the engine's bridges, at which only this host is reached; None: not told.
Bridges = tuple[IPv4Network | IPv6Network, ...] | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a list alone shows of a container: its name and its own addresses."""

    name: str
    addresses: tuple[str, ...]
