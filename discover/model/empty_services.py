"""Services that have no instance now, since when, and the listeners that they keep.

No I/O; time is an argument.

An empty service keeps its port and its host names: so callers can tell "down" from "unknown", get
no reply from another service, and a service whose only container comes and goes takes no reload.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from types import MappingProxyType

from discover.model.proxy_config import (
    Listener,
    ProxyConfig,
    Server,
    ServicePort,
    door_listener_name,
)
from discover.model.spare_backends import spare_backend
from discover.snapshot.belongs import Holds
from discover.snapshot.holds import port_key, route_key

# Stand for all services that are known by their holds alone, as no instance of them was seen: one
# backend, or bad holds by the thousand would be as many.
UNSEEN, UNSEEN_PORT = "held", -1
FORGET_S = 600.0  # longer than a deployment takes; nothing is reloaded only to forget

# It stays the same while another service has the port, and the listener is known at the door alone.
_service_port: Callable[[Listener], ServicePort] = attrgetter("service", "port")


@dataclass(frozen=True, slots=True)
class Empty:
    """A service port without an instance: its listener with the last one, and since when."""

    listener: Listener
    since_s: float  # monotonic clock


@dataclass(frozen=True, slots=True)
class LastServer:
    """The last server of a service that was empty in an earlier life, and for how long it is."""

    server: Server
    empty_s: float


EmptyByPort = Mapping[ServicePort, Empty]
LastServers = Mapping[ServicePort, LastServer]
NOTHING: LastServers = MappingProxyType({})


@dataclass(slots=True)
class EmptyServices:
    """The services that lost their last instance. Used by the reconcile actor alone."""

    note: Callable[[EmptyByPort], None] = lambda _: None  # keeps them for the next life
    _empty: dict[ServicePort, Empty] = field(default_factory=dict)

    def recall(self, ran: Iterable[Listener], at_s: float, known: LastServers = NOTHING) -> None:
        """Take the listeners of an earlier life; `update` drops those with instances."""
        for listener in ran:
            port = _service_port(listener)
            last = known.get(port)
            if last is None:
                self._empty[port] = Empty(listener, at_s)
            else:
                with_last = replace(listener, servers=(last.server,))
                self._empty[port] = Empty(with_last, at_s - last.empty_s)

    def update(self, ran: ProxyConfig | None, now: ProxyConfig, at_s: float) -> None:
        """Note which services became empty since what HAProxy runs, and which came back.

        Only a port that was really listened on is kept: another program may have held it all the
        while.
        """
        present = set(map(_service_port, now.listeners))
        taken = {listener.port for listener in now.listeners if listener.binds}
        empty = dict(self._empty)

        for listener in ran.listeners if ran else ():
            port = _service_port(listener)
            if port not in present and listener.port != UNSEEN_PORT:
                empty.setdefault(port, Empty(listener, at_s))

        self._empty = {
            port: service
            for port, service in empty.items()
            if port not in present and _can_stay(service.listener, taken)
        }
        self.note(self._empty)

    def since(self, listener: Listener) -> Empty | None:
        """Return how a listener was when its last instance went, and when that was.

        For any thread.
        """
        return self._empty.get(_service_port(listener))

    def listeners(self) -> list[Listener]:
        """Return the listeners of all empty services."""
        return [service.listener for service in self._empty.values()]

    def long_empty(self, at_s: float) -> frozenset[ServicePort]:
        """Return the service ports that were empty for long: others may have the port."""
        return frozenset(
            port for port, service in self._empty.items() if at_s - service.since_s >= FORGET_S
        )

    def forget(self, at_s: float, holds: Holds) -> bool:
        """Let go of services that were empty for long and hold nothing; say whether any were.

        To be called when there is a reload anyway.
        """
        long_empty = self.long_empty(at_s)
        stay = {
            port: service
            for port, service in self._empty.items()
            if port not in long_empty or _holds_anything(service.listener, holds)
        }
        forgets = len(stay) < len(self._empty)
        self._empty = stay

        return forgets


def _holds_anything(listener: Listener, holds: Holds) -> bool:
    """Whether a port or a route of a listener is held by its service."""
    keys = (port_key(listener.port), *map(route_key, listener.routes))
    return any(key in holds and holds[key].holder == listener.service for key in keys)


def _can_stay(listener: Listener, taken: set[int]) -> bool:
    """Whether an empty service has anything left to be reached by: its host names, or its port."""
    return bool(listener.routes) or listener.port not in taken


def with_empty_services(config: ProxyConfig, empty: Iterable[Listener]) -> ProxyConfig:
    """Return a configuration that also listens for empty services.

    It does not listen for them on a port, nor by a route, that another service has by now.
    """
    kept = _without_taken(config, empty)
    if not kept:
        return config

    listeners = sorted((*config.listeners, *kept), key=_service_port)
    return replace(config, listeners=tuple(listeners))


def _without_taken(config: ProxyConfig, empty: Iterable[Listener]) -> list[Listener]:
    """Return the listeners of empty services with the ports and routes that are free."""
    empty = tuple(empty)
    if not empty:
        return []

    present = set(map(_service_port, config.listeners))
    ports = {listener.port for listener in config.listeners if listener.binds}
    routes = {route for listener in config.listeners for route in listener.routes}
    has_door = config.process.door is not None
    kept: list[Listener] = []

    for listener in empty:
        binds = listener.binds if listener.port not in ports else ()
        free = tuple(route for route in listener.routes if has_door and route not in routes)
        if _service_port(listener) in present or not (binds or free):
            continue

        name = listener.name if binds else door_listener_name(*_service_port(listener))
        kept.append(replace(listener, name=name, binds=binds, servers=(), routes=free))

    return kept


def with_held_routes(config: ProxyConfig, holds: Holds) -> ProxyConfig:
    """Return a configuration that also has the routes whose holders do not ask for them now.

    Without it, a shorter path or a wildcard of another service would answer there. A holder that
    is away gets an empty backend; one that is there, and gave the route up, none.
    """
    if config.process.door is None:
        return config

    led = {route for listener in config.listeners for route in listener.routes}
    there = {listener.service for listener in config.listeners if listener.servers}
    given_up: list[str] = []
    away: list[str] = []

    for key, held in holds.items():
        if key.kind == "host" and key.thing not in led:
            routes = given_up if held.holder in there else away
            routes.append(key.thing)

    if not given_up and not away:
        return config

    unseen = [_unseen(away)] if away else []
    listeners = sorted((*config.listeners, *unseen), key=_service_port)
    return replace(config, listeners=tuple(listeners), given_up=tuple(sorted(given_up)))


def _unseen(routes: Iterable[str]) -> Listener:
    """Return the backend of services that have no instance, and of which none is known."""
    return replace(
        spare_backend(1),
        name=door_listener_name(UNSEEN, UNSEEN_PORT),
        service=UNSEEN,
        port=UNSEEN_PORT,
        routes=tuple(sorted(routes)),
    )
