"""Backends laid out empty, so that a service that only the door leads to needs no reload. No I/O.

HAProxy takes servers and lines of a map at runtime, but no backend. So each reload lays out some that are empty, of the
usual kind, and a service that comes later takes one; the next reload gives it one of its own name.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter

from catalog.record import Check
from discover.model.config import Listener, ProxyConfig, door_listener_name
from discover.model.health_check import INTERVAL_MS

FEWEST = 32
SHARE = 2  # as many more as half of the services there are: so thousands come with a dozen reloads


@functools.cache
def spare_backend(number: int) -> Listener:
    """Return an empty backend, as a service has it that asks for nothing."""
    return Listener(
        name=f"seat-{number}",
        service="",
        port=0,
        binds=(),
        mode="http",
        balance="roundrobin",
        sticky="none",
        retry="idempotent",
        timeout_ms=None,
        check=Check(),
        interval_ms=INTERVAL_MS,
        panic=False,
        servers=(),
    )


def is_spare_backend(listener: Listener) -> bool:
    """Whether this is one of those backends, taken or not."""
    return listener.name.startswith("seat-")


def with_spare_backends(config: ProxyConfig) -> ProxyConfig:
    """Return what to lay out at a reload: all services by their own names, and empty backends for more."""
    if config.process.door is None:
        return config
    behind = sum(not listener.binds for listener in config.listeners)
    most = max(
        FEWEST, 1 << (behind // SHARE).bit_length()
    )  # in steps, so that few changes change their number
    return _heeding(
        (), replace(config, listeners=(*config.listeners, *map(spare_backend, range(1, most + 1))))
    )


def in_spare_backends(config: ProxyConfig, running: ProxyConfig | None) -> ProxyConfig:
    """Return what to lay out without a reload: a service without a backend takes an empty one, if that fits_spare_backend it."""
    if config.process.door is None:
        return config
    if running is None:
        return with_spare_backends(config)
    own = {listener.name for listener in running.listeners}
    seats = {
        listener.name: listener for listener in running.listeners if is_spare_backend(listener)
    }
    taken = {own_name(listener): listener for listener in seats.values() if listener.service}
    free = iter([name for name, listener in seats.items() if not listener.service])
    found: list[Listener] = []
    for listener in config.listeners:
        name = None
        if not listener.binds and listener.name not in own and fits_spare_backend(listener):
            name = taken[listener.name].name if listener.name in taken else next(free, None)
        found.append(_in(listener, seats.pop(name)) if name else listener)
    # One whose service now asks for more stays as it is until the reload that this takes.
    wanted = {(listener.service, listener.port) for listener in found}
    left = (
        it if not it.service or (it.service, it.port) in wanted else spare_backend(_number(it))
        for it in seats.values()
    )
    door = running.process.door
    return _heeding(door.headers if door else (), replace(config, listeners=(*found, *left)))


def _heeding(headers: Iterable[str], config: ProxyConfig) -> ProxyConfig:
    """Return a configuration whose door looks at these headers, and at those that its services ask for."""
    asked = {each.canary.name.lower() for each in config.listeners if each.canary and each.routes}
    if (door := config.process.door) is None or (not asked and not headers):
        return config
    door = replace(door, headers=tuple(sorted(asked | set(headers))))
    return replace(config, process=replace(config.process, door=door))


def under_own_names(config: ProxyConfig) -> ProxyConfig:
    """Return what runs by the services' own names."""
    if config.process.door is None:
        return config
    kept = (listener for listener in config.listeners if listener.service)
    own = (replace(each, name=own_name(each)) if is_spare_backend(each) else each for each in kept)
    return replace(config, listeners=tuple(own))


def own_name(listener: Listener) -> str:
    """Return the name that a service's backend has once a reload gives it one."""
    return (
        door_listener_name(listener.service, listener.port)
        if is_spare_backend(listener)
        else listener.name
    )


def fits_spare_backend(listener: Listener) -> bool:
    """Whether a service asks for nothing that the lines of a backend say: its servers have all that they need."""
    return _kind(listener) == _kind(spare_backend(1))


# All that is not in the server's own line; a new field counts until it is named here.
_FREE = {
    "name",
    "service",
    "port",
    "servers",
    "routes",
    "interval_ms",
    "h2c",
    "check",
    "supersedes",
}
_LINES = attrgetter(*(name for name in Listener.__dataclass_fields__ if name not in _FREE))
_SAID = attrgetter(*(name for name in Listener.__dataclass_fields__ if name != "name"))


def _kind(listener: Listener) -> object:
    """Return what a backend's lines depend on; whether and how often its servers are asked to accept is theirs."""
    check = listener.check
    plain = check.kind != "http" and not check.grpc and check.timeout_ms is None
    return _LINES(listener), None if plain else check


def reload_shape(listener: Listener) -> object:
    """Return all of a listener that takes a reload to change."""
    return (
        _kind(listener)
        if is_spare_backend(listener)
        else replace(listener, servers=(), routes=(), supersedes=False)
    )


def _number(listener: Listener) -> int:
    return int(listener.name.removeprefix("seat-"))


def _in(listener: Listener, found: Listener) -> Listener:
    """Return a service in a seat; the very object that runs if nothing changed, as that is not laid out anew."""
    return found if _SAID(found) == _SAID(listener) else replace(listener, name=found.name)


def door_backends(config: ProxyConfig | None) -> Mapping[tuple[str, int], str]:
    """Return the backends of services that only the door leads to, by service and service port."""
    listeners = config.listeners if config else ()
    return {
        (each.service, each.port): each.name
        for each in listeners
        if not each.binds and each.service
    }


def without_spares(listeners: Iterable[Listener]) -> list[Listener]:
    """Return those that are services."""
    return [listener for listener in listeners if listener.service]
