"""The pages for a host that no service has, and for a service without instances. No I/O."""

import difflib
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from catalog.host_port import split_host_port
from discover.model.empty_services import UNSEEN_PORT
from discover.model.proxy_config import Listener

NEAR = 5  # similar names that are shown
LIKE = 0.6  # what difflib calls a close match
HOST_MAX = 253  # characters of a host name that are shown, as many as DNS has
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer; the title is its first line."""

    status: int
    title: str
    lines: tuple[str, ...]
    links: tuple[str, ...] = ()  # hosts, with the port of the door

    def text(self) -> str:
        """Return it for a terminal."""
        links = (f"  http://{link}" for link in self.links)
        return "".join(f"{line}\n" for line in (self.title, *self.lines, *links))

    def html(self) -> str:
        """Return it for a browser."""
        title = html.escape(self.title)
        lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in self.lines)
        links = "".join(_link(html.escape(link)) for link in self.links)
        if links:
            links = f"<ul>\n{links}</ul>\n"

        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n"
            f"{lines}{links}</body></html>\n"
        )


def _link(host: str) -> str:
    return f'<li><a href="//{host}">{host}</a></li>\n'


def host_of(header: str) -> str:
    """Return the host in a Host header, printable, and otherwise as the door's map spells it."""
    host = header.strip().lower()
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        host = name

    shown = (c if c.isascii() and c.isprintable() else "?" for c in host.rstrip("."))
    return "".join(shown)[:HOST_MAX]


def unknown(
    host: str, port: str, keys: Iterable[str], has_time: Callable[[], bool], tcp: Iterable[str] = ()
) -> Page:
    """Return the page for a host, or a path of it, that leads nowhere.

    `keys` are those of the door's map, `tcp` the services in tcp mode, which no host leads to.
    Similar names take time to find among ten thousand: the search goes on only while `has_time`.
    """
    service, _, domain = host.partition(".")
    names = (host, f"*.{domain}")  # the star is one label

    paths: list[str] = []
    hosts: dict[str, None] = {}  # a set that keeps its order
    for key in keys:
        name, _, path = key.partition("/")
        if name in names:
            paths.append(f"/{path.rstrip('/')}")
        hosts[name] = None

    if paths:
        known = f"Its paths are {', '.join(sorted(paths)[:NEAR])}."
        return Page(404, f"No service has this path on {host}", (known,))

    if service in tcp:
        cause = "in tcp mode, which has no host names: set SERVICE_MODE=http."
        return Page(
            404, f"No http service has the host name {host}", (f"{service} runs, but {cause}",)
        )

    return _unknown_host(host, near_to(host, hosts, has_time), port)


def _unknown_host(host: str, near: list[str], port: str) -> Page:
    source = "SERVICE_HOSTS of http services, and from their names under DOMAIN."
    lines = [f"Host names come from {source}"]
    if near:
        lines.append("Similar names:")

    links = tuple(f"{name}{port}" for name in near)
    return Page(404, f"No service has the host name {host or '(none)'}", tuple(lines), links)


def near_to(host: str, hosts: Iterable[str], has_time: Callable[[], bool]) -> list[str]:
    """Return the names most similar to a host.

    The letters of the first label count; names in the same domain come first.
    """
    label, _, domain = host.partition(".")
    letters = difflib.SequenceMatcher(b=label)
    found: list[tuple[float, str]] = []
    for name in hosts:
        if not has_time():
            break

        first, _, rest = name.partition(".")
        letters.set_seq1(first)
        likeness = 0.0
        if letters.quick_ratio() > LIKE:
            likeness = letters.ratio()
        elif len(label) > 2 and label in name:
            likeness = LIKE

        if first != "*" and likeness >= LIKE:
            in_same_domain = rest == domain
            found.append((-likeness - in_same_domain, name))

    return [name for _, name in sorted(found)[:NEAR]]


def empty(listener: Listener, *, since: str | None, last: Listener | None) -> Page:
    """Return the page for a service without an instance to call now.

    `last` is the listener as it was when it last had an instance.
    """
    if listener.servers:
        return _none_callable(listener)
    if listener.port == UNSEEN_PORT:
        line = "It keeps the name for ten minutes after its last instance (HOLD_TTL)."
        return Page(503, "The service that has this host name has no instance now", (line,))

    lines = ["It is not known since when."]
    if since:
        lines = [f"It has had none since {since}."]
    if last and not last.servers:
        lines = [f"It had none when docker-discover started, {since}."]
    elif last:
        server = last.servers[-1]
        container = server.name.partition(":")[0]
        lines.append(f"The last one was at {_where(server.endpoint)}, in container {container}.")

    return Page(503, f"{listener.service} has no instance now", tuple(lines))


def _none_callable(listener: Listener) -> Page:
    shown = ", ".join(_where(server.endpoint) for server in listener.servers[:NEAR])
    why = f"None of its {len(listener.servers)} instances is available: {shown}."
    title = f"{listener.service} has no available instance"
    return Page(503, title, (why, "HAProxy's stats page shows why."))


def _where(endpoint: str) -> str:
    address, port = split_host_port(endpoint)
    return f"{address} port {port}"
