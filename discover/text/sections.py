"""Read a rendered haproxy.cfg back: its servers, and everything else. No I/O, no HAProxy.

A template may lay out whatever it likes; what is done at runtime is told from its text alone, so that a server that is
added has exactly the words that its line in the file has.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.errors import Rejected
from catalog.host_port import split_host_port

# HAProxy's configuration manual, chapters 3 and 4: words that begin a section, and so end the one before.
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
    """One `server` line: `words` is all of its options but the weight.

    `plain` says that HAProxy shows the server as the line has it: an IP address and port, a weight, not disabled.
    """

    endpoint: str
    weight: int
    words: str
    plain: bool = True


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
        return all(s.plain for s in self.servers.values()) and not any(
            "server-template" in x for x in self.lines
        )


def sections_of(text: str) -> Mapping[str, Section]:
    """Return the sections of a configuration by their heads, comments and empty lines left out. Raises Rejected."""
    found: dict[str, tuple[list[str], dict[str, ServerLine]]] = {}
    lines, servers = found.setdefault("", ([], {}))
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if _HEAD.match(line):
            lines, servers = found.setdefault(line, ([], {}))
        elif line.startswith("server "):
            name, server = _server(line)
            if name in servers:
                raise Rejected(f"two servers of one section have one name: {line!r:.120}")
            servers[name] = server
        else:
            lines.append(line)
    return {
        head: Section(head, tuple(lines), servers)
        for head, (lines, servers) in found.items()
        if head or lines
    }


def _server(line: str) -> tuple[str, ServerLine]:
    words = line.split()
    if len(words) < 3:
        raise Rejected(f"not a name and an address: {line!r:.120}")
    _, name, endpoint, *options = words
    match = _WEIGHT.search(f" {' '.join(options)}")
    weight = int(match[1]) if match else 1  # HAProxy's default (configuration manual 5.2, "weight")
    rest = " ".join(_WEIGHT.sub("", f" {' '.join(options)}").split())
    plain = match is not None and "disabled" not in options and endpoint_of(endpoint) is not None
    return name, ServerLine(endpoint, weight, rest, plain)


def endpoint_of(text: str) -> tuple[str, int] | None:
    """Return the address, in one spelling, and the port of `ip:port` or `[ip]:port`; None for anything else."""
    address, port = split_host_port(text)
    try:
        return str(ipaddress.ip_address(address)), int(port)
    except ValueError:
        return None
