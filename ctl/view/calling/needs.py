"""What a program has to be told to call services: variables, warnings, stubs to start. No I/O.

The variables are sourced by shells, and what they are made from was read from etcd: so only plain
values become variables, and what is said of them stays in one line.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from catalog.asking.presence import Presence
from ctl.view.calling.seen import SeenPort
from ctl.view.calling.ways import START_SO, Caller, Way, scheme_for, ways_of
from ctl.view.published import Published

State = Literal["ready", "stub", "down", "missing"]
_PLAIN = re.compile(r"[A-Za-z0-9._:/\[\]-]+")
_SAID: Mapping[State, str] = {
    "ready": "",
    "stub": "only a stub answers, until a real instance is ready",
    "down": "nobody answers now: tandem explain {0} says why",
    "missing": "nobody provides it",
}


@dataclass(frozen=True, slots=True)
class Need:
    """One service port that is to be called; `start` is a command that starts a stub for it."""

    asked: str
    service: str
    state: State
    port: int = 0
    url: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    start: str = ""

    @property
    def is_met(self) -> bool:
        """Whether a real instance answers such a caller."""
        return self.state == "ready" and bool(self.variables)


def needs_of(
    asked: str,
    seen: Sequence[SeenPort],
    proxies: Mapping[str, Presence],
    records: Sequence[Published],
    caller: Caller,
) -> tuple[Need, ...]:
    """Return a need for each port of a service that is asked for, or for one that is not there."""
    own = [port for port in seen if asked in (port.service, f"{port.service}:{port.port}")]
    ports = own or list(seen)
    if not ports:
        return (_unknown(asked),)

    is_one = len(ports) == 1
    found = []
    for port in ports:
        ways = {way.caller: way for way in ways_of(port, proxies, records)}
        scheme = scheme_for(port, records)
        found.append(_need(asked, port, ways[caller], scheme, is_one=is_one))
    return tuple(found)


def _unknown(asked: str) -> Need:
    service, _, port = asked.partition(":")
    start = _stub(service, int(port) if port.isdecimal() else 0, mode="http")
    notes = [_SAID["missing"]]
    if not port:
        notes.append("give the real one SERVICE_PORT=auto too, or both the same port")
    return Need(asked, service, "missing", notes=tuple(notes), start=start)


def _need(asked: str, seen: SeenPort, way: Way, scheme: str, *, is_one: bool) -> Need:
    state: State = seen.state if any(seen.servers.values()) else "missing"
    variables = _variables(seen, way, is_one=is_one)
    # How containers are started is said once for all.
    notes = [_SAID[state].format(asked), way.how.removeprefix(START_SO).removeprefix("; ")]
    if way.host and not variables:
        notes.append("its address cannot be written as a variable")
    if way.host and not way.url:
        notes.append(
            "no URL, as its protocol is not known; SERVICE_MODE=http tells that it is http"
        )

    start = ""
    if state in ("down", "missing") and scheme in ("http", ""):
        start = _stub(seen.service, seen.port, seen.mode)
    return Need(
        asked,
        seen.service,
        state,
        seen.port,
        way.url,
        variables,
        tuple(note for note in notes if note),
        start,
    )


def _variables(seen: SeenPort, way: Way, *, is_one: bool) -> Mapping[str, str]:
    """Return the variables of one port; none if there is no way, or what is odd in it."""
    name = prefix_of(seen.service) + ("" if is_one else f"_{seen.port}")
    values = {"HOST": way.host, "PORT": str(way.port), "URL": way.url.rstrip("/")}
    if not way.host or not all(_PLAIN.fullmatch(value) for value in values.values() if value):
        return {}
    return {f"{name}_{what}": value for what, value in values.items() if value}


def prefix_of(service: str) -> str:
    """Return what the variables of a service begin with: `shop-api` gives SHOP_API."""
    name = re.sub("[^A-Z0-9]", "_", service.upper())
    return f"_{name}" if name[:1].isdecimal() else name


def _stub(service: str, port: int, mode: str) -> str:
    """Return the command that starts a stub; nothing for what is no name of a service."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", service):
        return ""

    labels = f"--label SERVICE_NAME={service} --label SERVICE_PORT={port or 'auto'}"
    if mode == "tcp":
        labels += " --label SERVICE_MODE=tcp"  # docker-stub says http, which would differ
    folder = f'"$PWD/{service}:/stub"'
    return f"mkdir -p {service} && docker run -d -P {labels} -v {folder} docker-stub"
