"""Services that have no instance now, and since when. No I/O; time is an argument."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from discover.model import Listener, ProxyConfig

FORGET_S = 600.0  # longer than a deployment takes; nothing is reloaded only to forget


@dataclass(slots=True)
class Idle:
    """The listeners that lost their last instance. Used by the reconcile actor alone."""

    _gone: dict[str, tuple[Listener, float]] = field(default_factory=dict)

    def begin(self, ran: Iterable[Listener], at_s: float) -> None:
        """Take what an earlier life listened on; `update` then leaves out what has instances."""
        self._gone = {listener.name: (listener, at_s) for listener in ran}

    def update(self, ran: ProxyConfig | None, now: ProxyConfig, at_s: float) -> None:
        """Note which listeners went and which came back, between what HAProxy ran and what it shall run.

        Only what was really listened on is kept: a port that another program held all the while stays that one's.
        """
        present = {listener.name for listener in now.listeners}
        for listener in ran.listeners if ran else ():
            if listener.name not in present:
                self._gone.setdefault(listener.name, (listener, at_s))
        taken = {listener.port for listener in now.listeners}
        self._gone = {n: (it, since) for n, (it, since) in self._gone.items() if it.port not in taken}

    def listeners(self) -> Iterable[Listener]:
        """Return all of them."""
        return [listener for listener, _ in self._gone.values()]

    def forget(self, at_s: float) -> None:
        """Let go of those that have been gone for long; to be called when there is a reload anyway."""
        self._gone = {name: (it, since) for name, (it, since) in self._gone.items() if at_s - since < FORGET_S}
