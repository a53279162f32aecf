"""Which calls somebody wants, from flags, and how to say it. No I/O."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import Rejected
from catalog.keys import HOST_ID, OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing, Standings
from catalog.values.rules import HEADER_IS, PATH_PREFIX, PORT_MAX, SERVICE_NAME
from ctl.view.published import Published

_PORT = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Wish:
    """Calls of a service: those with a header, below a path, or all; on all hosts, or on some."""

    service: str
    port: int | None = None
    header: str = ""
    path: str = ""
    only: tuple[str, ...] = ()


def wish_of(name: str, header: str, path: str, only: Iterable[str], *, all_calls: bool) -> Wish:
    """Return what is wished for. Raises Rejected for what no HAProxy could be told."""
    service, colon, port = name.partition(":")
    if not SERVICE_NAME.fullmatch(service) or (colon and not _is_port(port)):
        raise Rejected(f"{name!r} is not a service such as orders or orders:8080")

    chosen = [flag for flag, given in (("--header", header), ("--path", path)) if given]
    chosen += ["--all"] if all_calls else []
    if len(chosen) != 1:
        seen = " and ".join(chosen) if chosen else "none is given"
        raise Rejected(f"give one of --header NAME=VALUE, --path /PATH and --all: {seen}")
    if header and not HEADER_IS.fullmatch(header):
        raise Rejected(
            f"--header: {header!r} is not such as x-dev=anna: letters, digits and - in the name, "
            "also . and _ in the value"
        )
    if path and not PATH_PREFIX.fullmatch(path):
        raise Rejected(f"--path: {path!r} is not the beginning of a path such as /api")

    hosts = tuple(sorted({it.strip().removeprefix("host/") for it in only}))
    for host in hosts:
        if not HOST_ID.fullmatch(host):
            raise Rejected(f"--only: {host!r} is not a host such as host/a")
    return Wish(service, int(port) if port else None, header, path, hosts)


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and int(text) <= PORT_MAX


def with_port(wish: Wish, published: Sequence[Published]) -> Wish:
    """Return a wish with the one port that its service has. Raises Rejected.

    A service that only the door leads to may have none.
    """
    its = [each.instance for each in published if each.instance.service == wish.service]
    ports = {it.service_port for it in its if it.service_port}
    if wish.port is not None and wish.port not in ports:
        there = ", ".join(map(str, sorted(ports))) or "none"
        raise Rejected(f"{wish.service} has no port {wish.port}; it has {there}")
    if wish.port is None and len(ports) > 1:
        names = ", ".join(f"{wish.service}:{port}" for port in sorted(ports))
        raise Rejected(f"{wish.service} has several ports: name one of {names}")

    port = wish.port or next(iter(ports), None)
    modes = {it.mode for it in its if it.service_port == port}
    if modes == {"tcp"} and (wish.header or wish.path):
        raise Rejected(
            f"{wish.service} is in tcp mode, so its calls cannot be told from each other: "
            "give --all, and --only host/… for those of one host"
        )
    return Wish(wish.service, port, wish.header, wish.path, wish.only)


def calls_text(override: Override) -> str:
    """Return which calls an override is about, for people."""
    if override.header:
        return f"calls with {override.header}"
    return f"calls below {override.path}" if override.path.strip("/") else "all calls"


def rivals(standings: Standings, service: str, wanted: Override) -> list[OverrideKey]:
    """Return the intercepts of the same calls on some host, oldest first."""
    found = [
        (standing.created, key)
        for key, standing in standings.items()
        if key.service == service
        and standing.override is not None
        and _overlap(standing.override, wanted)
    ]
    return [key for _created, key in sorted(found)]


def _overlap(one: Override, other: Override) -> bool:
    same_hosts = not one.only or not other.only or set(one.only) & set(other.only)
    same_port = None in (one.port, other.port) or one.port == other.port
    return bool(one.to and same_hosts and same_port) and _calls(one) == _calls(other)


def _calls(override: Override) -> tuple[str, str]:
    name, equals, value = override.header.partition("=")
    return f"{name.lower()}{equals}{value}", override.path.rstrip("/")


def moment_text(at_s: float, now_s: float) -> str:
    """Return a time of the clock here as people say it: with its day if that is another."""
    at, now = time.localtime(at_s), time.localtime(now_s)
    return time.strftime("%H:%M" if at[:3] == now[:3] else "%a %H:%M", at)


def hosts_text(hosts: Iterable[str]) -> str:
    """Return `h1`, or how many hosts there are."""
    every = sorted(hosts)
    return every[0] if len(every) == 1 else f"{len(every)} hosts"


def intercept_rows(found: Mapping[OverrideKey, Standing], now_s: float) -> list[dict[str, Any]]:
    """Return a row for each intercept, the oldest first."""
    aged = sorted((its.created, key, its.override) for key, its in found.items() if its.override)
    return [
        {
            "id": key.id,
            "service": f"{key.service}:{its.port}" if its.port else key.service,
            "calls": calls_text(its).removeprefix("calls "),
            "to": its.to,
            "by": its.by,
            "hosts": list(its.only) or "all",
            "until": moment_text(its.until_s, now_s) if its.until_s else "",
            "why": its.why,
        }
        for _created, key, its in aged
    ]
