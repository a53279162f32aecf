"""What journals tell as it comes -> changes, once all hosts have them, or soon. No I/O.

A host that does not tell holds a change up for a moment only.
"""

from collections.abc import Collection, Iterable

from ctl.past.merge import Change, Told, merged

HOLD_S = 2.0  # for hosts that have not told yet, or whose HAProxy has not got it yet
KEPT_S = 30.0  # afterwards a line that comes late is a change of its own


class Window:
    """The lines of the last moments."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], Told] = {}
        self._heard_s: dict[tuple[str, int], float] = {}
        self._shown: set[tuple[str, int]] = set()

    def take(self, lines: Iterable[Told], now_s: float) -> None:
        """Take what a host told, also again: by now its HAProxy may have it."""
        for told in lines:
            place = told.by, told.line.id
            self._lines[place] = told
            self._heard_s.setdefault(place, now_s)

    def due(self, hosts: Collection[str], now_s: float) -> list[Change]:
        """Return the changes that can be shown now."""
        found = []
        for change in merged(self._lines.values()):
            places = {(host, line.id) for host, line in change.told.items()}
            if places & self._shown:
                self._shown |= places
                continue

            waiting = [host for host, line in change.told.items() if not line.how]
            is_whole = set(hosts) <= change.told.keys() and not waiting
            heard_s = min(self._heard_s[place] for place in places)
            if is_whole or now_s >= heard_s + HOLD_S:
                self._shown |= places
                found.append(change)

        self._forget(now_s)
        return found

    def is_empty(self) -> bool:
        """Whether nothing waits to be shown."""
        return self._lines.keys() <= self._shown

    def _forget(self, now_s: float) -> None:
        old = [place for place, at_s in self._heard_s.items() if now_s >= at_s + KEPT_S]
        for place in old:
            if place in self._shown:
                del self._heard_s[place], self._lines[place]
                self._shown.discard(place)
