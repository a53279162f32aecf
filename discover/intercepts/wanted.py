"""Which calls of which listeners are intercepted on this host, or why not. No I/O."""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from catalog.host_port import split_host_port
from catalog.keys import OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standings
from discover.model.proxy_config import Intercept, InterceptKind, Listener, ProxyConfig
from discover.reasons import because
from sidecar.status.problems import Problem

ALL_CALLS = "/"
SOMEBODY = "somebody"
_Calls = tuple[str, int, str]  # a service, its port, and which of its calls
_UNSAYABLE = re.compile(r"[^A-Za-z0-9._@-]+")


@dataclass(frozen=True, slots=True)
class Overrides:
    """The overrides that lead calls elsewhere, oldest first, and what is known of where.

    `own` are those of the addresses that are this host's own, or another's of the pair.
    """

    standing: tuple[tuple[OverrideKey, Override], ...] = ()
    own: frozenset[str] = field(default_factory=frozenset)


NO_OVERRIDES = Overrides()


def leading(overrides: Standings, hosts: Set[str]) -> tuple[tuple[OverrideKey, Override], ...]:
    """Return the overrides that lead calls elsewhere on a host with these ids, oldest first."""
    found = [
        (standing.created, key, standing.override)
        for key, standing in overrides.items()
        if standing.override is not None and _leads(standing.override, hosts)
    ]
    return tuple((key, override) for _created, key, override in sorted(found, key=_age))


def _leads(override: Override, hosts: Set[str]) -> bool:
    return bool(override.to) and (not override.only or not hosts.isdisjoint(override.only))


def _age(found: tuple[int, OverrideKey, Override]) -> tuple[int, OverrideKey]:
    created, key, _override = found
    return created, key


def intercepted(config: ProxyConfig, overrides: Overrides) -> ProxyConfig:
    """Return a configuration with its intercepts; of two that want the same the older wins."""
    if not overrides.standing:
        return config

    found: dict[_Calls, Intercept] = {}
    refused: dict[str, str] = {}
    ports = {bind.port for bind in config.binds}

    for key, override in overrides.standing:
        name = f"{key.service}/{key.id}"
        try:
            _refuse_loop(override, overrides.own, ports)
            for intercept in _intercepts(key, override, config.listeners):
                _add(found, intercept)
        except _Refused as why:
            refused[name] = str(why)

    intercepts = tuple(
        each for each in found.values() if f"{each.service}/{each.id}" not in refused
    )
    return replace(config, intercepts=intercepts, not_intercepted=refused)


def not_led(config: ProxyConfig | None) -> Mapping[str, Problem]:
    """Return which intercepts are not done here, and why, by what they are."""
    refused = config.not_intercepted if config else {}
    return {
        f"intercept {name}": because("NOT_INTERCEPTED", f"{name.partition('/')[0]}: {why}")
        for name, why in refused.items()
    }


class _Refused(Exception):
    """This host does not do it, and why."""


def _add(found: dict[_Calls, Intercept], intercept: Intercept) -> None:
    calls = (intercept.service, intercept.port, intercept.calls)
    other = found.setdefault(calls, intercept)
    if other is not intercept:
        raise _Refused(f"{other.by} intercepts the same calls since before")


def _intercepts(
    key: OverrideKey, override: Override, listeners: Iterable[Listener]
) -> Iterator[Intercept]:
    its = [
        listener
        for listener in listeners
        if listener.service == key.service and override.port in (None, listener.port)
    ]
    if not its:
        port = f":{override.port}" if override.port else ""
        raise _Refused(f"HAProxy here has no {key.service}{port}")

    for listener in its:
        yield _intercept(key, override, listener)


def _intercept(key: OverrideKey, override: Override, listener: Listener) -> Intercept:
    if listener.mode == "tcp" and (override.header or override.path):
        raise _Refused(f"{listener.service} is in tcp mode: only all of its calls can be told")

    if override.header and override.path:
        raise _Refused("it names a header and a path: one of both chooses calls")

    kind: InterceptKind = "tcp" if listener.mode == "tcp" else "h2c" if listener.h2c else "http"
    return Intercept(
        id=key.id,
        service=listener.service,
        port=listener.port,
        kind=kind,
        calls=calls_of(override),
        to=override.to,
        by=_UNSAYABLE.sub("-", override.by) or SOMEBODY,
    )


def calls_of(override: Override) -> str:
    """Return which calls an override is about, as the key in HAProxy's map ends."""
    if override.header:
        header, equals, value = override.header.partition("=")
        return f"{header.lower()}={value}/" if equals else f"{header.lower()}="
    return f"{override.path.rstrip('/')}/"


def _refuse_loop(override: Override, own: Set[str], ports: Set[int]) -> None:
    address, port = split_host_port(override.to)
    if address in own and int(port) in ports:
        raise _Refused(f"{override.to} is HAProxy itself: calls would go in a circle")
