"""When a reload may run: the first at once, later ones together, and never more than a budget.

No clock. A reload costs a process that lives as long as its oldest connection, so the number of
reloads has to be bounded whatever the catalog does. A reload that is wanted when none ran for a
while never waits. One that takes long, as HAProxy reads many services, counts twice.
"""

import math
from dataclasses import dataclass, field

from catalog.errors import Rejected
from sidecar.bucket import Bucket, Rate

SPACING_S = 0.05  # between any two
QUIET_S = (
    0.02  # a burst of changes is over after this, as when a whole stack of services starts ...
)
AT_MOST_S = 0.1  # ... but nobody waits longer for it once a reload is allowed
BURST = 20  # reloads that somebody who works on a host may cause without a wait ...
EVERY_S = 1.0  # ... and after those one in this time
BUDGET = Rate(per_s=1 / EVERY_S, burst=BURST)
SLOW_S = 0.2  # one that took longer counts ...
SLOW_COUNTS = 2  # ... so often
AGAIN_S = 30.0  # a refused text may be accepted later, such as when a port is free again


@dataclass(slots=True)
class Pace:
    """The reloads that ran, and the one that is wanted. All times are of the monotonic clock."""

    _bucket: Bucket = field(default_factory=lambda: Bucket(BUDGET))
    _allowed_s: float = -math.inf
    _why: str = ""
    _first_s: float = 0.0  # when the wanted reload was wanted first
    _last_s: float = 0.0  # when it was wanted for another reason last

    @property
    def is_wanted(self) -> bool:
        """Whether a reload is wanted."""
        return bool(self._why)

    @property
    def due_s(self) -> float:
        """When the wanted reload shall run; infinity if none is wanted."""
        if not self.is_wanted:
            return math.inf
        if self._first_s >= self._allowed_s:
            return self._first_s

        quiet_s = max(self._allowed_s, self._last_s + QUIET_S)
        return min(quiet_s, self._allowed_s + AT_MOST_S)

    def wanted(self, why: str, now_s: float) -> None:
        """Note that a reload is wanted; `why` tells another change from the same one."""
        if not self.is_wanted:
            self._first_s = now_s
        if why != self._why:
            self._why = why
            self._last_s = now_s

    def dropped(self) -> None:
        """Note that no reload is wanted any more."""
        self._why = ""

    def done(self, now_s: float, took_s: float = 0.0) -> None:
        """Note that a reload ran, and how long it took."""
        counts = SLOW_COUNTS if took_s > SLOW_S else 1
        self._bucket.spend(now_s, counts)
        self._allowed_s = now_s + max(SPACING_S, self._bucket.wait_s(now_s))
        self._why = ""


@dataclass(slots=True)
class RefusedText:
    """The text that HAProxy refused last, which it is not asked about again at once."""

    _text: str = ""
    _why: str = ""
    _at_s: float = -math.inf

    def remember(self, text: str, why: str, now_s: float) -> None:
        """Take a text that HAProxy refused."""
        self._text = text
        self._why = why
        self._at_s = now_s

    def raise_again(self, text: str, now_s: float) -> None:
        """Raise Rejected for the same text: HAProxy would only refuse it again."""
        if text == self._text and now_s < self._at_s + AGAIN_S:
            raise Rejected(self._why)
