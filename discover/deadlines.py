"""When docker-discover has something to do even if nothing happens.

No clock: times are of the monotonic one.
"""

import math
from dataclasses import dataclass

RETRY_FILE_S = 5.0  # a full disk is not waited for longer once there is room
RETRY_PORTS_S = 30.0  # a port that another program holds is tried again after this
TIDY_S = 60.0  # servers without a slot get one once nothing has changed for so long ...
TIDY_AT_MOST_S = 600.0  # ... or after this, where something always changes


@dataclass(slots=True)
class Deadlines:
    """When each thing is due; infinity: not at all."""

    file_s: float = math.inf
    ports_s: float = math.inf
    tidy_s: float = math.inf
    overrides_s: float = math.inf  # when other overrides count
    _changed_s: float = -math.inf  # when something happened last
    _untidy_s: float = math.inf  # since when a reload would give servers more

    def next_s(self, reload_s: float) -> float:
        """Return when the first thing is due, a reload among them."""
        return min(reload_s, self.file_s, self.ports_s, self.tidy_s, self.overrides_s)

    def changed(self, now_s: float) -> None:
        """Note that something happened."""
        self._changed_s = now_s

    def tidy(self, *, untidy: bool) -> None:
        """Note whether a reload would give servers what a change at runtime cannot."""
        if not untidy:
            self._untidy_s = self.tidy_s = math.inf
            return

        self._untidy_s = min(self._untidy_s, self._changed_s)
        self.tidy_s = min(self._changed_s + TIDY_S, self._untidy_s + TIDY_AT_MOST_S)

    def take_tidying(self, now_s: float) -> bool:
        """Return whether that reload is due; if so, it counts as done whatever becomes of it."""
        is_due = now_s >= self.tidy_s
        if is_due:
            self.changed(now_s)
            self._untidy_s = math.inf
        return is_due

    def file_unwritten(self, now_s: float) -> None:
        """Note that a file could not be written."""
        self.file_s = now_s + RETRY_FILE_S

    def file_written(self) -> None:
        """Note that all files are written."""
        self.file_s = math.inf

    def ports_tried(self, now_s: float, *, all_usable: bool) -> None:
        """Note which came of trying new ports."""
        self.ports_s = math.inf if all_usable else now_s + RETRY_PORTS_S
