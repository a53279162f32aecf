"""Read a rendered haproxy.cfg back: its servers, and everything else. No I/O, no HAProxy.

A template may lay out whatever it likes. What is done at runtime follows from the text alone, so a
server that is added at runtime has exactly the words of its line in the file.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.errors import Rejected
from catalog.host_port import split_host_port

# The words that begin a section and end the one before: configuration manual, chapters 3 and 4.
SECTIONS = frozenset(
    {
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "acme",
        "cache",
        "certificate-authority",
        "crt-store",
        "fcgi-app",
        "http-errors",
        "log-forward",
        "log-profile",
        "mailers",
        "namespace_list",
        "peers",
        "program",
        "resolvers",
        "ring",
        "traces",
        "userlist",
    }
)
_HEAD = re.compile(r"(?:listen|backend|frontend|defaults|global)\b")
_WEIGHT = re.compile(r" weight (\d+)\b")


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One `server` line: `words` is all of its options but the weight and `disabled`.

    It is plain if HAProxy shows the server as the line has it: an IP address and port, a weight. It
    is free if it is disabled: a server in maintenance, which no instance has.
    """

    endpoint: str
    weight: int
    words: str
    plain: bool = True
    free: bool = False


Servers = Mapping[str, ServerLine]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its head, its lines without servers, and its servers by name."""

    head: str
    lines: tuple[str, ...]
    servers: Servers

    @property
    def name(self) -> str:
        """The proxy's name, by which HAProxy's runtime API knows it."""
        return self.head.split(" ")[1] if " " in self.head else self.head

    @property
    def plain(self) -> bool:
        """Whether all of its servers are."""
        if any("server-template" in line for line in self.lines):
            return False

        return all(server.plain for server in self.servers.values())


@dataclass(frozen=True, slots=True)
class _Body:
    """The lines of one section as they are read."""

    lines: list[str] = field(default_factory=list)
    servers: dict[str, ServerLine] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Take one line."""
        if not line.startswith("server "):
            self.lines.append(line)
            return

        name, server = _server(line)
        if name in self.servers:
            raise Rejected(f"two servers of one section have the same name: {line!r:.120}")
        self.servers[name] = server


def sections_of(text: str) -> Mapping[str, Section]:
    """Return the sections of a configuration by their heads. Raises Rejected.

    Comments and empty lines are left out. What stands before the first head has an empty one.
    """
    body = _Body()
    bodies = {"": body}

    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue

        if _HEAD.match(line):
            body = bodies.setdefault(line, _Body())
        else:
            body.add(line)

    return {
        head: Section(head, tuple(body.lines), body.servers)
        for head, body in bodies.items()
        if head or body.lines
    }


def _server(line: str) -> tuple[str, ServerLine]:
    words = line.split()
    if len(words) < 3:
        raise Rejected(f"not a name and an address: {line!r:.120}")

    _, name, endpoint, *options = words
    is_free = "disabled" in options
    options = [option for option in options if option != "disabled"]
    text = f" {' '.join(options)}"
    match = _WEIGHT.search(text)
    # HAProxy's default is 1 (configuration manual 5.2, "weight").
    weight = int(match[1]) if match else 1
    other_words = " ".join(_WEIGHT.sub("", text).split())

    is_plain = match is not None and endpoint_of(endpoint) is not None
    return name, ServerLine(endpoint, weight, other_words, is_plain, is_free)


def endpoint_of(text: str) -> tuple[str, int] | None:
    """Return the address, in one spelling, and the port of `ip:port` or `[ip]:port`.

    None for anything else.
    """
    address, port = split_host_port(text)
    try:
        return str(ipaddress.ip_address(address)), int(port)
    except ValueError:
        return None
