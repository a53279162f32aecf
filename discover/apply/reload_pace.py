"""When a reload may run: the first at once, those that follow together, and never more than a budget. No clock.

A reload costs a process that lives as long as its oldest connection, so their number has to be bounded whatever the
catalog does; one that is wanted when none ran for a while is never made to wait.
"""

import math
from dataclasses import dataclass

SPACING_S = 1.0  # between any two
QUIET_S = 0.1  # a burst of changes is over after this, as when a whole stack of services starts ...
AT_MOST_S = 0.5  # ... but nobody waits longer for it once a reload is allowed
BURST = 10  # reloads a second apart that somebody who works on a host may cause ...
EVERY_S = 2.0  # ... and after those one in this time


@dataclass(slots=True)
class Pace:
    """What ran and what is wanted. All times are the monotonic clock's."""

    budget: float = BURST
    reloaded_s: float = -math.inf
    _why: str = ""
    _first_s: float = 0.0
    _last_s: float = 0.0

    @property
    def due_s(self) -> float:
        """When the wanted reload shall run; infinity if none is wanted."""
        if not self._why:
            return math.inf
        allowed_s = self.reloaded_s + max(SPACING_S, (1 - self.budget) * EVERY_S)
        if self._first_s >= allowed_s:
            return self._first_s
        return min(max(allowed_s, self._last_s + QUIET_S), allowed_s + AT_MOST_S)

    def wanted(self, why: str, now_s: float) -> None:
        """A reload is wanted; `why` tells a further change from the same one seen again."""
        if not self._why:
            self._first_s = now_s
        if why != self._why:
            self._why, self._last_s = why, now_s

    def dropped(self) -> None:
        """It is not wanted any more."""
        self._why = ""

    def done(self, now_s: float) -> None:
        """A reload ran."""
        earned = (now_s - self.reloaded_s) / EVERY_S
        self.budget = max(0.0, min(BURST, self.budget + earned) - 1)
        self.reloaded_s, self._why = now_s, ""
