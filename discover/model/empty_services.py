"""Services that have no instance now, and since when. No I/O; time is an argument."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from types import MappingProxyType

from discover.model.config import Listener, ProxyConfig, Server

Place = tuple[str, int]  # a service and its service port
Gone = Mapping[Place, tuple[Listener, float]]
Noted = Mapping[Place, tuple[Server, float]]
NOTHING: Noted = MappingProxyType({})

# What stays the same though its port may be another's by now, so that it is known at the door alone.
_place: Callable[[Listener], Place] = attrgetter("service", "port")
FORGET_S = 600.0  # longer than a deployment takes; nothing is reloaded only to forget


@dataclass(slots=True)
class Idle:
    """The listeners that lost their last instance. Used by the reconcile actor alone."""

    note: Callable[[Gone], None] = lambda _: None  # told what is empty now, for the next life
    _gone: dict[Place, tuple[Listener, float]] = field(default_factory=dict)

    def begin(self, ran: Iterable[Listener], at_s: float, noted: Noted = NOTHING) -> None:
        """Take what an earlier life listened on; `update` then leaves out what has instances.

        `noted` has the last server of those that were empty then, and for how long they have been by now.
        """
        for listener in ran:
            server, empty_s = noted.get(_place(listener), (None, 0.0))
            last = replace(listener, servers=(server,)) if server else listener
            self._gone[_place(listener)] = (last, at_s - empty_s)

    def update(self, ran: ProxyConfig | None, now: ProxyConfig, at_s: float) -> None:
        """Note which listeners went and which came back, between what HAProxy ran and what it shall run.

        Only what was really listened on is kept: a port that another program held all the while stays that one's.
        """
        present, before = set(map(_place, now.listeners)), ran.listeners if ran else ()
        gone = dict(self._gone)
        for place, listener in zip(map(_place, before), before, strict=True):
            if place not in present:
                gone.setdefault(place, (listener, at_s))
        taken = {listener.port for listener in now.listeners if listener.binds}

        def stays(it: Listener) -> bool:
            # One whose port another has by now can still be known at the door.
            return _place(it) not in present and (bool(it.routes) or it.port not in taken)

        self._gone = {place: (it, since) for place, (it, since) in gone.items() if stays(it)}
        self.note(self._gone)

    def since(self, listener: Listener) -> tuple[Listener, float] | None:
        """Return a listener as it was when its last instance went, and when that was. For any thread."""
        return self._gone.get(_place(listener))

    def listeners(self) -> Iterable[Listener]:
        """Return all of them."""
        return [listener for listener, _ in self._gone.values()]

    def forget(self, at_s: float) -> None:
        """Let go of those that have been gone for long; to be called when there is a reload anyway."""
        self._gone = {
            place: (it, since)
            for place, (it, since) in self._gone.items()
            if at_s - since < FORGET_S
        }
