"""A configuration with everything in it that a template may be asked to lay out. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import get_args

from catalog.records.record import Balance, Check, Mode, Retry, Reuse, Sticky
from discover.model.health_check import INTERVAL_MS, grpc_request
from discover.model.proxy_config import (
    Bind,
    Door,
    Header,
    Intercepting,
    Listener,
    Process,
    ProxyConfig,
    Server,
    Verbatim,
    door_listener_name,
)
from discover.model.spare_backends import spare_backend

_SERVERS = (
    Server("000000000001:80", "192.0.2.1:80", weight=100, draining=False, backup=False, cookie=""),
    Server("000000000002:80", "[2001:db8::2]:80", weight=0, draining=True, backup=True, cookie=""),
)
_COOKIES = (
    Server(
        "000000000003:80", "192.0.2.3:80", weight=1, draining=False, backup=False, cookie="c0ffee"
    ),
)
_FREE = (
    replace(_SERVERS[0], name="slot-1", endpoint="192.0.2.4:80", free=True),
    replace(_SERVERS[0], name="slot-2", endpoint="192.0.2.5:80", free=True, late=True),
)
_DOOR = Door(
    (Bind("127.0.0.1", 80), Bind("::1", 80), Bind("*", 80)), "sample", "/run/tandem/pages.sock"
)
# Added to a port, it gives one that no other listener has.
QUIET = 10_000
_USUAL = ("http", "roundrobin", "idempotent")
_CHECKS = (
    Check("tcp"),
    Check("http", "/health?a=b", timeout_ms=500, status="200-299,404", host="up.example"),
    Check("none"),
)


def sample(process: Process) -> ProxyConfig:
    """Return one listener for every way to ask for one.

    A template that lays all of these out lays out any configuration.
    """
    ways = product(
        get_args(Mode), get_args(Balance), get_args(Sticky), get_args(Retry), _CHECKS, (None, 1500)
    )
    plain = tuple(_listener(port, *way) for port, way in enumerate(ways, start=1))
    listeners = (*plain, *_special(plain))
    behind_door = (_behind_door(listener) for listener in listeners if _is_enough(listener))

    door = replace(process.door or _DOOR, headers=("x-canary",), logs_all=True)
    return ProxyConfig(
        replace(process, door=door, intercepting=Intercepting(("x-dev",))),
        (*listeners, *behind_door, spare_backend(1), *_intercepts(plain)),
    )


def _intercepts(plain: Sequence[Listener]) -> Iterable[Listener]:
    """Yield a backend that leads to somebody's own machine, of each mode."""
    for mode in get_args(Mode):
        usual = next(listener for listener in plain if listener.mode == mode)
        yield replace(
            usual,
            name=f"intercept-{mode}-1",
            service="",
            port=0,
            binds=(),
            check=Check("none"),
            panic=False,
            free=_FREE,
            intercepts=True,
        )


def _is_enough(listener: Listener) -> bool:
    """Whether to lay a listener out behind the door too.

    Where a service listens changes no line that its balance or its retries change.
    """
    is_usual = (listener.mode, listener.balance, listener.retry) == _USUAL
    return is_usual or listener.canary is not None


def _special(plain: Sequence[Listener]) -> Iterable[Listener]:
    """Yield one listener of each mode that asks for all that few services do.

    No two of these wishes change the same lines.
    """
    for port, mode in enumerate(get_args(Mode), start=len(plain) + 1):
        usual = next(listener for listener in plain if listener.mode == mode)
        special = replace(
            usual,
            name=f"sample:{port}",
            port=port,
            binds=(Bind("127.0.0.1", port),),
            snippet=(Verbatim('log-tag "any # text"'),),
            servers=tuple(
                replace(server, canary=True, slow_start_ms=500, maxconn=5)
                for server in usual.servers
            ),
            free=_FREE,
            log="all",
        )
        if mode == "tcp":
            yield replace(special, asked=grpc_request("sample"), takes_over=True)
            quiet = Bind("127.0.0.1", port + QUIET)
            yield replace(
                usual, name=f"sample:{quiet.port}", port=quiet.port, binds=(quiet,), log="off"
            )
        else:
            yield replace(special, hash_header="X-User", h2c=True, canary=Header("X-Canary", "on"))
            for other, reuse in enumerate(get_args(Reuse), start=port + 1):
                yield replace(
                    usual,
                    name=f"sample:{other}",
                    port=other,
                    binds=(Bind("127.0.0.1", other),),
                    reuse=reuse,
                    free=_FREE,
                    log="off",
                )


def _behind_door(listener: Listener) -> Listener:
    """Return a listener that only the door leads to."""
    name = door_listener_name(listener.service, listener.port)
    return replace(
        listener,
        name=name,
        binds=(),
        routes=(f"{listener.port}.sample/", f"*.{listener.port}.sample/a/"),
    )


def _listener(
    port: int,
    mode: Mode,
    balance: Balance,
    sticky: Sticky,
    retry: Retry,
    check: Check,
    timeout_ms: int | None,
) -> Listener:
    return Listener(
        name=f"sample:{port}",
        service="sample",
        port=port,
        binds=(Bind("127.0.0.1", port), Bind("::1", port), Bind("*", port)),
        mode=mode,
        balance=balance,
        sticky=sticky if mode == "http" else "none",
        retry=retry,
        timeout_ms=timeout_ms,
        check=check,
        interval_ms=INTERVAL_MS,
        panic=check.kind == "http",
        servers=_COOKIES if mode == "http" and sticky == "cookie" else _SERVERS,
    )
