"""Empty backends, so that a new service behind the door needs no reload. No I/O.

HAProxy takes servers and lines of a map at runtime, but no backend. So each reload lays out some
empty backends of the usual kind. A service that comes later takes one; the next reload gives it a
backend of its own name.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from operator import attrgetter

from catalog.records.record import Check
from discover.model.health_check import INTERVAL_MS
from discover.model.proxy_config import (
    Door,
    Listener,
    ProxyConfig,
    ServicePort,
    door_listener_name,
)

FEWEST = 32

# One spare for so many services behind the door: thousands can come with a dozen reloads.
SERVICES_PER_SPARE = 2

_PREFIX = "seat-"


@functools.cache
def spare_backend(number: int) -> Listener:
    """Return an empty backend, as a service has it that asks for nothing."""
    return Listener(
        name=f"{_PREFIX}{number}",
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
    """Whether this is a spare backend, taken or not."""
    return listener.name.startswith(_PREFIX)


def with_spare_backends(config: ProxyConfig) -> ProxyConfig:
    """Return what to lay out at a reload: all services by their own names, and spare backends."""
    if config.process.door is None:
        return config

    behind_door = sum(not listener.binds for listener in config.listeners)
    # A power of two, so that the number rarely changes with the services.
    enough = 1 << (behind_door // SERVICES_PER_SPARE).bit_length()
    spares = [spare_backend(number) for number in range(1, max(FEWEST, enough) + 1)]

    laid_out = replace(config, listeners=(*config.listeners, *spares))
    return _with_door(laid_out)


def in_spare_backends(config: ProxyConfig, running: ProxyConfig | None) -> ProxyConfig:
    """Return what to lay out without a reload: a service without a backend takes a spare one.

    A service that asks for more than a spare backend has keeps its own name: that takes a reload.
    """
    if config.process.door is None:
        return config

    if running is None:
        return with_spare_backends(config)

    own_backends = {listener.name for listener in running.listeners}
    spares = {spare.name: spare for spare in running.listeners if is_spare_backend(spare)}
    free = iter([name for name, spare in spares.items() if not spare.service])
    taken = {own_name(spare): name for name, spare in spares.items() if spare.service}

    placed: list[Listener] = []
    for listener in config.listeners:
        needs_spare = not listener.binds and listener.name not in own_backends
        name = None
        if needs_spare and fits_spare_backend(listener):
            name = taken.get(listener.name) or next(free, None)

        placed.append(_placed(listener, spares.pop(name)) if name else listener)

    laid_out = replace(config, listeners=(*placed, *_left_over(spares.values(), placed)))
    return _with_door(laid_out, running.process.door)


def _placed(listener: Listener, spare: Listener) -> Listener:
    """Return a service in a spare backend; the object that runs already if nothing changed.

    The same object is not laid out anew.
    """
    if _all_but_name(spare) == _all_but_name(listener):
        return spare

    return replace(listener, name=spare.name)


def _left_over(spares: Iterable[Listener], placed: Iterable[Listener]) -> Iterator[Listener]:
    """Yield spare backends that no service takes, emptied if their services are gone.

    A backend whose service asks for more by now stays as it is until the reload that this takes.
    """
    wanted = {(listener.service, listener.port) for listener in placed}

    for spare in spares:
        is_in_use = not spare.service or (spare.service, spare.port) in wanted
        yield spare if is_in_use else spare_backend(_number_of(spare))


def _with_door(config: ProxyConfig, running: Door | None = None) -> ProxyConfig:
    """Return a configuration whose door does what its services ask of it.

    It looks at the headers of canaries, and logs all calls if one of them wants that. What the
    running door does it goes on doing: to leave it out would take a reload.
    """
    door = config.process.door
    if door is None:
        return config

    headers = set(running.headers if running else ())
    logs_all = running is not None and running.logs_all
    for listener in config.listeners:
        if listener.canary and listener.routes:
            headers.add(listener.canary.name.lower())
        if listener.log == "all" and listener.routes:
            logs_all = True

    if not headers and not logs_all:
        return config
    door = replace(door, headers=tuple(sorted(headers)), logs_all=logs_all)
    return replace(config, process=replace(config.process, door=door))


def under_own_names(config: ProxyConfig) -> ProxyConfig:
    """Return what runs with each service under its own name, and without empty backends."""
    if config.process.door is None and config.process.intercepting is None:
        return config

    named = [
        replace(listener, name=own_name(listener)) if is_spare_backend(listener) else listener
        for listener in without_spares(config.listeners)
    ]
    return replace(config, listeners=tuple(named))


def own_name(listener: Listener) -> str:
    """Return the name that a service's backend has once a reload gives it one of its own."""
    if is_spare_backend(listener):
        return door_listener_name(listener.service, listener.port)

    return listener.name


def fits_spare_backend(listener: Listener) -> bool:
    """Whether a service asks for nothing that other lines of its backend than its servers' say."""
    return _backend_lines(listener) == _backend_lines(spare_backend(1))


def reload_shape(listener: Listener) -> object:
    """Return all of a listener that takes a reload to change."""
    if is_spare_backend(listener):
        return _backend_lines(listener)

    return replace(listener, servers=(), routes=(), supersedes=False)


# What stands in the line of a server, or in the map, is no part of a backend's own lines. The check
# is looked at for itself. A new field of Listener counts as a backend's own until it is named here.
_NOT_IN_BACKEND_LINES = frozenset(
    {
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
)
_FIELDS = [field.name for field in fields(Listener)]

# Faster than to build a listener without these fields, which each round would do for thousands.
_all_but_name: Callable[[Listener], object] = attrgetter(
    *(field for field in _FIELDS if field != "name")
)
_listener_lines: Callable[[Listener], object] = attrgetter(
    *(field for field in _FIELDS if field not in _NOT_IN_BACKEND_LINES)
)


def _backend_lines(listener: Listener) -> tuple[object, Check | None]:
    """Return what the lines of a backend depend on, other than those of its servers."""
    check = listener.check
    # Whether and how often a server is asked to accept a connection stands in its own line.
    is_in_server_line = check.kind != "http" and not check.grpc and check.timeout_ms is None
    return _listener_lines(listener), None if is_in_server_line else check


def _number_of(spare: Listener) -> int:
    return int(spare.name.removeprefix(_PREFIX))


def door_backends(config: ProxyConfig | None) -> Mapping[ServicePort, str]:
    """Return the backends of services that only the door leads to, by service port."""
    if config is None:
        return {}

    return {
        (listener.service, listener.port): listener.name
        for listener in without_spares(config.listeners)
        if not listener.binds
    }


def without_spares(listeners: Iterable[Listener]) -> list[Listener]:
    """Return the listeners that serve a service, so no empty backend."""
    return [listener for listener in listeners if listener.service]
