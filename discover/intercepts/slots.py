"""Give each intercept a backend of its own, and HAProxy the lines that lead there. No I/O.

Nothing of it is laid out before calls are intercepted for the first time. That takes one reload,
which also lays out free backends and what leads to them. From then on an intercept comes and goes
at runtime: its backend has one server in a slot, and the door's map says which calls go there.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import get_args

from catalog.records.record import Check
from discover.model.health_check import INTERVAL_MS
from discover.model.proxy_config import (
    Intercept,
    Intercepting,
    InterceptKind,
    Listener,
    ProxyConfig,
    Server,
)

# The header that people use mostly: for another one the first intercept takes a reload.
USUAL_HEADER = "x-dev"
FEWEST: Mapping[InterceptKind, int] = {"http": 8, "h2c": 4, "tcp": 4}


def with_slots(config: ProxyConfig, like: ProxyConfig | None, *, anew: bool = False) -> ProxyConfig:
    """Return a configuration with a backend for each intercept, and free ones.

    An intercept keeps the backend that it has in `like`. With `anew` more are laid out, as a
    reload can.
    """
    before = like.process.intercepting if like else None
    if before is None and not config.intercepts:
        return config

    placed = _placed(config.intercepts, like)
    slots = list(_slots(placed, _counts(placed, like, anew=anew)))
    named = {header_of(each) for each in placed} - {""}
    headers = {USUAL_HEADER, *named, *(before.headers if before else ())}
    intercepting = Intercepting(tuple(sorted(headers)))

    return replace(
        config,
        process=replace(config.process, intercepting=intercepting),
        listeners=(*config.listeners, *slots),
        intercepts=placed,
    )


def header_of(intercept: Intercept) -> str:
    """Return the header that chooses calls; empty if none does."""
    return "" if intercept.calls.startswith("/") else intercept.calls.partition("=")[0]


def _placed(wanted: Iterable[Intercept], like: ProxyConfig | None) -> tuple[Intercept, ...]:
    """Return the intercepts with their backends; one that just ended keeps its own a while."""
    had = {_identity(each): each.backend for each in (like.intercepts if like else ())}
    taken = set(had.values())
    placed: list[Intercept] = []

    for each in wanted:
        backend = had.get(_identity(each))
        if backend is None:
            backend = next(name for name in _names(each.kind) if name not in taken)
            taken.add(backend)
        placed.append(replace(each, backend=backend))

    return tuple(placed)


def _identity(intercept: Intercept) -> tuple[str, str, int, InterceptKind]:
    return intercept.service, intercept.id, intercept.port, intercept.kind


def _names(kind: InterceptKind) -> Iterator[str]:
    number = 1
    while True:
        yield slot_name(kind, number)
        number += 1


def slot_name(kind: InterceptKind, number: int) -> str:
    """Return the name of a backend for intercepts."""
    return f"intercept-{kind}-{number}"


def _counts(
    placed: Iterable[Intercept], like: ProxyConfig | None, *, anew: bool
) -> Mapping[InterceptKind, int]:
    """Return how many backends of each kind there shall be: never fewer than there are."""
    counts: dict[InterceptKind, int] = {}
    names = {listener.name for listener in (like.listeners if like else ()) if listener.intercepts}
    placed = tuple(placed)

    for kind in get_args(InterceptKind):
        used = {each.backend for each in placed if each.kind == kind}
        there = sum(name.startswith(slot_name(kind, 0)[:-1]) for name in names)
        # A power of two, so that the number rarely changes.
        roomy = 1 << (2 * len(used) - 1).bit_length() if used and anew else 0
        highest = max((int(name.rpartition("-")[2]) for name in used), default=0)
        counts[kind] = max(there or FEWEST[kind], highest, roomy)

    return counts


def _slots(placed: Iterable[Intercept], counts: Mapping[InterceptKind, int]) -> Iterator[Listener]:
    by_backend = {each.backend: each for each in placed}
    for kind, count in counts.items():
        for number in range(1, count + 1):
            free = slot(kind, number)
            its = by_backend.get(free.name)
            yield replace(free, servers=(_server(its),)) if its else free


@functools.cache
def slot(kind: InterceptKind, number: int) -> Listener:
    """Return a backend that leads to nobody yet."""
    return Listener(
        name=slot_name(kind, number),
        service="",
        port=0,
        binds=(),
        mode="tcp" if kind == "tcp" else "http",
        balance="roundrobin",
        sticky="none",
        retry="connect",
        timeout_ms=None,
        check=Check("none"),
        interval_ms=INTERVAL_MS,
        panic=False,
        servers=(),
        h2c=kind == "h2c",
        intercepts=True,
    )


def _server(intercept: Intercept) -> Server:
    return Server(
        name=intercept.id,
        endpoint=intercept.to,
        weight=100,
        draining=False,
        backup=False,
        cookie="",
    )
