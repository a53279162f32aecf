"""What a caller is told whose host no service has, or whose service has no instance: pages, as text. No I/O."""

import difflib
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from catalog.host_port import split_host_port
from discover.model.config import Listener

NEAR = 5  # names that are shown
LIKE = 0.6  # what difflib calls a close match
TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: what it says in a line, and what else is to be known."""

    status: int
    title: str
    lines: tuple[str, ...]
    links: tuple[str, ...] = ()  # hosts, with the port of the door

    def text(self) -> str:
        """Return it for a terminal."""
        return "".join(
            f"{line}\n"
            for line in (self.title, *self.lines, *(f"  http://{link}" for link in self.links))
        )

    def html(self) -> str:
        """Return it for a browser."""
        said = "".join(f"<p>{html.escape(line)}</p>\n" for line in self.lines)
        near = "".join(
            f'<li><a href="//{(it := html.escape(link))}">{it}</a></li>\n' for link in self.links
        )
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{html.escape(self.title)}</title></head>\n<body>\n<h1>{html.escape(self.title)}</h1>\n{said}"
            + (f"<ul>\n{near}</ul>\n" if near else "")
            + "</body></html>\n"
        )


def host_of(header: str) -> str:
    """Return the host that was asked for, as the map spells it, from a Host header; shown, so only printable."""
    host = header.strip().lower()
    name, colon, port = host.rpartition(":")
    host = name if colon and port.isdigit() else host
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in host.rstrip("."))[:253]


def unknown(
    host: str, port: str, keys: Iterable[str], goes_on: Callable[[], bool], tcp: Iterable[str] = ()
) -> Page:
    """Return the page for a host, or a path of it, that leads nowhere; `keys` are those of the door's map.

    `tcp` are the services that no host leads to, as they are in tcp mode.

    Likeness takes time, with ten thousand names: it is looked for only while `goes_on`.
    """
    paths: list[str] = []
    hosts: dict[str, None] = {}
    for key in keys:
        name, _, path = key.partition("/")
        if name == host or (name.startswith("*.") and name[2:] == host.partition(".")[2]):
            paths.append(f"/{path.rstrip('/')}")
        hosts[name] = None
    if paths:
        known = f"Known there are {', '.join(sorted(paths)[:NEAR])}."
        return Page(404, f"No service has this path of {host}", (known,))
    if (service := host.partition(".")[0]) in tcp:
        why = (
            f"{service} runs, but in tcp mode, which has no host names: it needs SERVICE_MODE=http."
        )
        return Page(404, f"No http service is known as {host}", (why,))
    near = tuple(f"{name}{port}" for name in near_to(host, hosts, goes_on))
    why = "Host names come from SERVICE_HOSTS of http services, and from their names under DOMAIN."
    return Page(
        404,
        f"No service is known as {host or 'nothing'}",
        (why, *(["Near it are:"] if near else [])),
        near,
    )


def near_to(host: str, hosts: Iterable[str], goes_on: Callable[[], bool]) -> list[str]:
    """Return the names most like one: by the letters of the first label, first those of its domain."""
    label, _, domain = host.partition(".")
    letters = difflib.SequenceMatcher(b=label)
    found: list[tuple[float, str]] = []
    for name in hosts:
        if not goes_on():
            break
        first, _, rest = name.partition(".")
        letters.set_seq1(first)
        like = (
            letters.ratio()
            if letters.quick_ratio() > LIKE
            else LIKE
            if len(label) > 2 and label in name
            else 0.0
        )
        if first != "*" and like >= LIKE:
            found.append((-like - (rest == domain), name))
    return [name for _, name in sorted(found)[:NEAR]]


def empty(host: str, listener: Listener, *, since: str | None, last: Listener | None) -> Page:
    """Return the page for a service that has no instance to call now; `last` is how it was before it went."""
    if listener.servers:
        seen = ", ".join(_where(server.endpoint) for server in listener.servers[:NEAR])
        why = f"None of its {len(listener.servers)} instances can be called now: {seen}."
        return Page(
            503,
            f"{listener.service} has no instance that can be called",
            (why, "HAProxy's page says why."),
        )
    lines = [
        f"There is none since {since}." if since else "There is none for longer than is known here."
    ]
    if last and not last.servers:
        lines = [f"There was none any more when docker-discover was started, {since}."]
    elif last:
        server = last.servers[-1]
        lines.append(
            f"The last one was at {_where(server.endpoint)}, in container {server.name.partition(':')[0]}."
        )
    return Page(503, f"{listener.service} has no instance now", tuple(lines))


def _where(endpoint: str) -> str:
    address, port = split_host_port(endpoint)
    return f"{address} port {port}"
