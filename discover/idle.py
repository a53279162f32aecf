"""Services that have no instance now, and since when. No I/O; time is an argument."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from discover.model import Listener, ProxyConfig

FORGET_S = 600.0  # longer than a deployment takes; nothing is reloaded only to forget


@dataclass(slots=True)
class Idle:
    """The listeners that lost their last instance. Used by the reconcile actor alone."""

    _gone: dict[str, tuple[Listener, float]] = field(default_factory=dict)

    def update(self, before: ProxyConfig | None, now: ProxyConfig, at_s: float) -> None:
        """Note which listeners went and which came back between two configurations that were built."""
        present = {listener.name for listener in now.listeners}
        for listener in before.listeners if before else ():
            if listener.name not in present:
                self._gone.setdefault(listener.name, (listener, at_s))
        for name in present & self._gone.keys():
            del self._gone[name]

    def listeners(self) -> Iterable[Listener]:
        """Return all of them."""
        return [listener for listener, _ in self._gone.values()]

    def forget(self, at_s: float) -> None:
        """Let go of those that have been gone for long; to be called when there is a reload anyway."""
        self._gone = {name: (it, since) for name, (it, since) in self._gone.items() if at_s - since < FORGET_S}
