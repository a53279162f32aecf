"""Read a rendered haproxy.cfg back: its servers, and everything else. No I/O, no HAProxy.

A template may lay out whatever it likes; what is done at runtime is told from its text alone, so that a server that is
added has exactly the words that its line in the file has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_HEAD = re.compile(r"(?:listen|backend|frontend|defaults|global)\b")
_WEIGHT = re.compile(r" weight (\d+)\b")


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One `server` line: `words` is all of its options but the weight."""

    endpoint: str
    weight: int
    words: str


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
        return self.head.rpartition(" ")[2]


def sections_of(text: str) -> Mapping[str, Section]:
    """Return the sections of a configuration by their heads, comments and empty lines left out."""
    found: dict[str, tuple[list[str], dict[str, ServerLine]]] = {}
    lines, servers = found.setdefault("", ([], {}))
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if _HEAD.match(line):
            lines, servers = found.setdefault(line, ([], {}))
        elif line.startswith("server "):
            _, name, endpoint, *words = line.split(" ", 3)
            servers[name] = _server(endpoint, words[0] if words else "")
        else:
            lines.append(line)
    return {head: Section(head, tuple(lines), servers) for head, (lines, servers) in found.items() if head or lines}


def _server(endpoint: str, words: str) -> ServerLine:
    match = _WEIGHT.search(f" {words}")
    weight = int(match[1]) if match else 1  # HAProxy's default (configuration manual 5.2, "weight")
    return ServerLine(endpoint, weight, " ".join(_WEIGHT.sub("", f" {words}").split()))
