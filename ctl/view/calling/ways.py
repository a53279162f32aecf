"""From where a service is called, at which address, as which URL. No I/O.

Containers reach HAProxy at the Docker bridge's gateway, which `--add-host proxy:host-gateway`
gives a name.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from catalog.asking.presence import Presence
from catalog.host_port import split_host_port
from ctl.view.calling.protocols import WITH_LOGIN, scheme_of
from ctl.view.calling.seen import SeenPort
from ctl.view.published import Published

Caller = Literal["host", "container", "browser"]
CALLERS: tuple[Caller, ...] = ("host", "container", "browser")
PROXY = "proxy"  # what a container calls its host's HAProxy, if it is started so
START_SO = f"start the caller with --add-host {PROXY}:host-gateway"
LOGIN = "add the user and the password"
HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Way:
    """How one kind of caller reaches a service port.

    Without a host it does not, and `how` says why; else `how` says what the caller has to do.
    `url` is empty if the protocol is not known.
    """

    caller: Caller
    host: str = ""
    port: int = 0
    url: str = ""
    how: str = ""

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}" if self.host else ""


def ways_of(
    seen: SeenPort, proxies: Mapping[str, Presence], records: Iterable[Published]
) -> tuple[Way, ...]:
    """Return the way of each kind of caller; `records` tell what a tcp service speaks."""
    scheme = scheme_for(seen, records)
    return (_from_host(seen, scheme), _from_container(seen, scheme), _by_name(seen, proxies))


def scheme_for(seen: SeenPort, records: Iterable[Published]) -> str:
    """Return the scheme of a service port's URLs; empty if its instances do not agree."""
    schemes = {
        scheme_of(seen.mode, it.instance.container_port, it.instance.image)
        for it in records
        if it.instance.service == seen.service and it.instance.service_port in (seen.port, None)
    }
    if not schemes:
        return scheme_of(seen.mode, seen.port, "")
    return schemes.pop() if len(schemes) == 1 else ""


def _from_host(seen: SeenPort, scheme: str) -> Way:
    lacking = [host for host in seen.listeners if not seen.listens(host)]
    if len(lacking) == len(seen.listeners):
        return Way("host", how="it has no port of its own: call it by its host name")

    how = _login(scheme)
    if lacking:
        how = f"not on {', '.join(lacking)}: tandem explain says why"
    return Way("host", "localhost", seen.port, _url(scheme, "localhost", seen.port), how)


def _from_container(seen: SeenPort, scheme: str) -> Way:
    lacking = [host for host in seen.listeners if not any(map(_is_open, seen.listens(host)))]
    if len(lacking) == len(seen.listeners):
        return Way("container", how="HAProxy listens on loopback alone: set BIND")

    how = START_SO
    if lacking:
        how = f"{how}; not on {', '.join(lacking)}"
    return Way("container", PROXY, seen.port, _url(scheme, PROXY, seen.port), how)


def _is_open(address: str) -> bool:
    """Whether others than programs of the host itself can call an address."""
    host, _port = split_host_port(address)
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "*"


def _by_name(seen: SeenPort, proxies: Mapping[str, Presence]) -> Way:
    """Return the way by a host name, which any machine has that reaches the door."""
    named = [key for key in seen.routes if not key.startswith("*")]
    doors = {split_host_port(proxies[host].door)[1] for host in seen.listeners if host in proxies}
    doors = {port for port in doors if port.isdecimal()}
    if not named or not doors:
        what = "set HTTP_BIND and DOMAIN" if seen.mode == "http" else "only http services have one"
        return Way("browser", how=f"no host name leads to it: {what}")

    host, _, path = named[0].partition("/")
    port = min(map(int, doors))
    suffix = "" if port == HTTP_PORT else f":{port}"
    return Way("browser", host, port, f"http://{host}{suffix}/{path}", _others(named[1:]))


def _others(keys: Iterable[str]) -> str:
    others = ", ".join(key.rstrip("/") for key in keys)
    return f"also {others}" if others else ""


def _login(scheme: str) -> str:
    return LOGIN if scheme in WITH_LOGIN else ""


def _url(scheme: str, host: str, port: int) -> str:
    if not scheme:
        return ""
    suffix = "" if scheme == "http" and port == HTTP_PORT else f":{port}"
    return f"{scheme}://{host}{suffix}" + ("/" if scheme == "http" else "")
