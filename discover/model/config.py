"""What HAProxy shall be: listeners and servers, as plain data. No I/O, no text, and nothing is decided here."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from catalog.host_port import host_port
from catalog.record import Balance, Check, Mode, Retry, Sticky

OPEN_MARKER = "0" * 12  # stands in a text for the marker that it will have
MAP_NAME = "door-{}.map"  # of the file with the door's map, by the marker of the text that uses it


class Verbatim(str):
    """Text that a template prints as it stands: the operator's own, never a label's or a record's."""

    origin = ""  # where it was written, for a complaint about it


@dataclass(frozen=True, slots=True, order=True)
class Bind:
    """One address to listen on: an IP literal or `*`, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Server:
    """One instance as a server: `name` is unique in its listener and stays the same while the container lives."""

    name: str
    endpoint: str
    weight: int
    draining: bool
    backup: bool
    cookie: str
    canary: bool = False
    slow_start_ms: int | None = None
    maxconn: int | None = None
    stub: bool = False

    @property
    def called(self) -> bool:
        """Whether it gets new calls, as far as its record says."""
        return self.weight > 0 and not self.draining


@dataclass(frozen=True, slots=True)
class Header:
    """A header that a request may have, with this value or, if that is empty, any."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Listener:
    """One service port: where callers dial and which servers answer. One without binds is reached by the door alone."""

    name: str
    service: str
    port: int
    binds: tuple[Bind, ...]
    mode: Mode
    balance: Balance
    sticky: Sticky
    retry: Retry
    timeout_ms: int | None
    check: Check
    interval_ms: int
    panic: bool  # all are called when the http checks of all fail
    servers: tuple[Server, ...]
    routes: tuple[str, ...] = ()  # the keys of the door's map that lead here
    hash_header: str = ""  # whose value decides which server is called; empty: balance does
    h2c: bool = False  # servers speak HTTP/2 without TLS
    asked: str = ""  # what a gRPC health check sends, in hexadecimal digits; empty: it is none
    canary: Header | None = None  # requests that have it go to the servers that are canaries
    takes_over: bool = False  # a server that comes ends the connections to backup servers
    supersedes: bool = (
        False  # who is connected to a stub shall leave it when a real server can be called
    )
    snippet: tuple[Verbatim, ...] = ()  # lines of the operator's own

    @property
    def parts(self) -> tuple[str, ...]:
        """What a template lays out of it, one section each: itself (""), and then its other backends."""
        return ("", *(["panic"] if self.panic else []), *(["canary"] if self.canary else []))

    @property
    def superseded(self) -> frozenset[str]:
        """The stubs that a real server has taken over from, as `proxy/server`."""
        if not self.supersedes or not any(each.called for each in self.servers if not each.backup):
            return frozenset()
        return frozenset(f"{self.name}/{each.name}" for each in self.servers if each.backup)


@dataclass(frozen=True, slots=True)
class Door:
    """The one port for all http services: the map tells which backend a request's host and path lead to."""

    binds: tuple[Bind, ...]
    domain: str  # services are `<service>.<domain>`; empty: only by the hosts that they declare
    pages: str  # the unix socket that answers what no service can
    headers: tuple[str, ...] = ()  # of which one can lead to canaries
    map: str = MAP_NAME.format(
        OPEN_MARKER
    )  # beside haproxy.cfg; the text's own marker is filled in


@dataclass(frozen=True, slots=True)
class Process:
    """What holds for HAProxy as a whole; it changes with this sidecar's settings only."""

    stats: Bind | None
    admin_socket: str
    maxconn: int
    user: str | None  # None: HAProxy keeps the user it was started as
    group: str | None
    door: Door | None = None


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """All that a template lays out."""

    process: Process
    listeners: tuple[Listener, ...]

    @property
    def binds(self) -> frozenset[Bind]:
        """Every address that is listened on."""
        own = {self.process.stats} if self.process.stats else set()
        own |= set(self.process.door.binds) if self.process.door else set()
        return frozenset(own | {bind for listener in self.listeners for bind in listener.binds})

    @property
    def superseded(self) -> frozenset[str]:
        """The stubs that real servers have taken over from, as `proxy/server`."""
        return frozenset().union(*(listener.superseded for listener in self.listeners))

    def only_leaving(self, among: Set[Bind]) -> frozenset[Bind]:
        """Return those of listeners that only drain: not worth taking a port that may be on its way back."""
        listening = (item for item in self.listeners if not among.isdisjoint(item.binds))
        leaving = (item for item in listening if all(server.draining for server in item.servers))
        return frozenset(bind for item in leaving for bind in item.binds if bind in among)


def name_of(service: str, port: int) -> str:
    """Return the name of the listener for a service port; `listened_by` is its inverse."""
    return f"{service}:{port}"


def behind_door(service: str, port: int) -> str:
    """Return the name of the listener for a service that has its port only behind the door."""
    return f"{service}:{port}:door"


def listened_by(name: str) -> tuple[str, int] | None:
    """Return service and port of a listener's name; None for a proxy that is none of ours."""
    service, _, port = name.rpartition(":")
    return (service, int(port)) if service and port.isdigit() else None


@dataclass(frozen=True, slots=True)
class Site:
    """Where this HAProxy stands: the ids that its host may have in the catalog, and its zone."""

    hosts: frozenset[str] = field(default_factory=frozenset)
    zone: str = ""

    @property
    def seed(self) -> str:
        """What the order of servers is mixed with, so that not all hosts begin with the same one."""
        return min(self.hosts, default="")


NOWHERE = Site()


@dataclass(frozen=True, slots=True)
class Policy:
    """What this host adds: where to listen, and which addresses cannot be used now, with the reason."""

    process: Process
    hosts: tuple[str, ...]
    unusable: Mapping[Bind, str]
    unclaimed: Mapping[str, str] = field(
        default_factory=dict
    )  # services without a claimed port, and why
    site: Site = NOWHERE
