"""What HAProxy shall be, as plain data: listeners, their names, servers. No I/O, no decisions.

The fields of Process, Listener and Server are what a template of your own may name
(docs/templates.md): they are a contract with its author.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from catalog.host_port import host_port
from catalog.records.record import Balance, Check, Log, Mode, Retry, Reuse, Sticky
from catalog.values.reserved_ports import NONE, PortSet

# Stands in a text in place of the marker that the text will have.
OPEN_MARKER = "0" * 12

# The file with the door's map, by the marker of the text that uses it.
MAP_NAME = "door-{}.map"

# The backend at the door for hosts that lead nowhere.
UNKNOWN_BACKEND = "unknown"

# A service and its port as its callers know it.
ServicePort = tuple[str, int]

# Stands for the port of a service that has none: only the door leads to it.
NO_PORT = 0


class Verbatim(str):
    """Text that a template prints as it stands: the operator's own, never that of a record."""

    # Where it was written, for a complaint about it.
    origin = ""


class Yielded(str):
    """Why HAProxy keeps off an address: a container of its own host has it, or wants it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Bind:
    """One address to listen on: an IP literal or `*`, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Server:
    """One instance as a server.

    Its name is unique in its listener and stays the same while the container lives. A template
    sees the name of its slot instead.
    """

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
    # Whether it was added at runtime, when HAProxy does not take every option.
    late: bool = False
    # Whether this is a slot that no instance has (discover/text/slots.py).
    free: bool = False

    @property
    def called(self) -> bool:
        """Whether it gets new calls, as far as its record says."""
        return self.weight > 0 and not self.draining


@dataclass(frozen=True, slots=True)
class Header:
    """A header that a request may have, with this value or, if the value is empty, with any."""

    name: str
    value: str


InterceptKind = Literal["http", "h2c", "tcp"]


@dataclass(frozen=True, slots=True)
class Intercept:
    """Calls of one service port that go to the machine of whoever wants them, for a while."""

    id: str
    service: str
    port: int
    kind: InterceptKind
    # Which calls, as the key in HAProxy's map ends: `x-dev=anna/` for a header, `/api/` for a path.
    calls: str
    to: str
    by: str
    # The backend that leads there; empty until it has one.
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """One service port: where callers dial and which servers answer.

    A listener without binds is reached through the door alone.
    """

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
    # Whether all servers are called when the http checks of all fail.
    panic: bool
    servers: tuple[Server, ...]
    # The keys of the door's map that lead here.
    routes: tuple[str, ...] = ()
    # The header that decides which server is called; if empty, `balance` decides.
    hash_header: str = ""
    # Whether servers speak HTTP/2 without TLS.
    h2c: bool = False
    # What a gRPC health check sends, in hexadecimal digits; empty for any other check.
    asked: str = ""
    # Requests with this header go to the servers that are canaries.
    canary: Header | None = None
    # Whether a server that comes ends the connections to backup servers.
    takes_over: bool = False
    # Whether clients shall leave a stub as soon as a real server can be called.
    supersedes: bool = False
    # The operator's own lines.
    snippet: tuple[Verbatim, ...] = ()
    # Whether connections to servers are kept for the next request.
    reuse: Reuse = "safe"
    log: Log | None = None  # which calls are logged; None: as the process says
    # Slots that no instance has: filled in when it is laid out.
    free: tuple[Server, ...] = ()
    # Whether it leads to the machine of whoever intercepts calls.
    intercepts: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """What a template lays out of it, a section each: itself (""), then its other backends."""
        others = {"panic": self.panic, "canary": self.canary}
        return ("", *(name for name, is_there in others.items() if is_there))

    @property
    def superseded(self) -> frozenset[str]:
        """The stubs that a real server has taken over from, as `proxy/server`."""
        if not self.supersedes:
            return frozenset()

        backups = [server for server in self.servers if server.backup]
        has_real = any(server.called for server in self.servers if not server.backup)
        return frozenset(f"{self.name}/{server.name}" for server in backups if has_real)


def listener_name(service: str, port: int) -> str:
    """Return the name of the listener for a service port; `service_port_of` is its inverse."""
    return f"{service}:{port}"


def door_listener_name(service: str, port: int) -> str:
    """Return the name of the listener for a service port that only the door leads to."""
    return f"{service}:{port}:door"


def service_port_of(name: str) -> ServicePort | None:
    """Return the service port that a listener is named after; None for any other proxy's name."""
    service, _, port = name.rpartition(":")
    return (service, int(port)) if service and port.isdigit() else None


@dataclass(frozen=True, slots=True)
class Door:
    """The one port for all http services: its map tells which backend a host and path lead to."""

    binds: tuple[Bind, ...]
    # Services are `<service>.<domain>`. If empty, only the hosts that they declare lead to them.
    domain: str
    # The unix socket that answers what no service can.
    pages: str
    headers: tuple[str, ...] = ()  # that can lead to canaries
    logs_all: bool = False  # whether a service there has all its calls logged
    # A file beside haproxy.cfg; the text's own marker is filled in.
    map: str = MAP_NAME.format(OPEN_MARKER)


@dataclass(frozen=True, slots=True)
class Intercepting:
    """How HAProxy tells calls that go to somebody's own machine from all others."""

    # Headers that are looked at.
    headers: tuple[str, ...] = ()
    # The same file as the door's.
    map: str = MAP_NAME.format(OPEN_MARKER)


@dataclass(frozen=True, slots=True)
class Process:
    """What holds for HAProxy as a whole; it changes only with the settings of docker-discover."""

    stats: Bind | None
    admin_socket: str
    maxconn: int
    # None: HAProxy keeps the user and group that it was started as.
    user: str | None
    group: str | None
    door: Door | None = None
    stats_ipv6: Bind | None = None  # the same page at ::1
    # The bytes of a buffer: the head of an http request or answer has to fit in one.
    buffer_bytes: int = 16384
    old_workers_hours: int = 168  # how long a worker that a reload made old may go on
    # None until calls were intercepted for the first time.
    intercepting: Intercepting | None = None
    access_log: Log = "errors"  # which calls are logged
    access_log_to: Bind | None = None  # by syslog over UDP; None: to HAProxy's standard output
    tapped: bool = False  # whether HAProxy keeps all calls for a while, as somebody looks

    @property
    def stats_binds(self) -> tuple[Bind, ...]:
        """Every address of the stats page."""
        return tuple(filter(None, (self.stats, self.stats_ipv6)))


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """All that a template lays out."""

    process: Process
    listeners: tuple[Listener, ...]
    # Keys of the door's map that a service still holds, and no longer asks for: nobody answers.
    given_up: tuple[str, ...] = ()
    intercepts: tuple[Intercept, ...] = ()
    # Intercepts that HAProxy does not do, by id, and why.
    not_intercepted: Mapping[str, str] = field(default_factory=dict)

    @property
    def binds(self) -> frozenset[Bind]:
        """Every address that is listened on."""
        found: set[Bind] = set()
        found.update(self.process.stats_binds)
        if self.process.door:
            found.update(self.process.door.binds)

        for listener in self.listeners:
            found.update(listener.binds)

        return frozenset(found)

    @property
    def port_holders(self) -> Mapping[int, str]:
        """The service that has each port which is listened on."""
        return {listener.port: listener.service for listener in self.listeners if listener.binds}

    @property
    def superseded(self) -> frozenset[str]:
        """The stubs that real servers have taken over from, as `proxy/server`."""
        return frozenset().union(*(listener.superseded for listener in self.listeners))

    def only_draining(self, among: Set[Bind]) -> frozenset[Bind]:
        """Return the addresses among these whose listeners have only draining servers.

        They are not worth taking a port that may be on its way back.
        """
        found: set[Bind] = set()
        for listener in self.listeners:
            binds = among & set(listener.binds)
            if binds and all(server.draining for server in listener.servers):
                found.update(binds)

        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Location:
    """Where this HAProxy stands: the ids that its host may have in the catalog, and its zone."""

    hosts: frozenset[str] = field(default_factory=frozenset)
    zone: str = ""

    @property
    def seed(self) -> str:
        """A text to mix into the order of servers, so that hosts begin with different ones."""
        return min(self.hosts, default="")


NOWHERE = Location()


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """What this host adds to the catalog: where to listen, and what cannot be used now."""

    process: Process
    hosts: tuple[str, ...]
    # Addresses that cannot be listened on, and why.
    unusable: Mapping[Bind, str]
    # Services for which no port was claimed, and why.
    unclaimed: Mapping[str, str] = field(default_factory=dict)
    # Why it cannot be written to etcd whose ports and names are; empty if it can.
    unheld: str = ""
    location: Location = NOWHERE
    # Ports that no service gets here.
    reserved: PortSet = NONE
