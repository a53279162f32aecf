"""Let many threads wake one that waits. A wake-up carries reasons, never data."""

import threading
import time


class Trigger:
    """Coalesces wake-ups: all that are fired while the waiter works are one more round.

    The only lock outside adapters that a loop waits for.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._reasons: dict[str, None] = {}  # a set that keeps its order
        self._fired_at_s = 0.0

    def fire(self, reason: str) -> None:
        """Wake the waiter, now or at its next wait. Never blocks."""
        with self._condition:
            self._reasons[reason] = None
            self._fired_at_s = time.monotonic()
            self._condition.notify_all()

    def wait(self, timeout_s: float | None = None) -> tuple[str, ...]:
        """Return the reasons fired since the last wait, in order; none after `timeout_s`."""
        with self._condition:
            self._condition.wait_for(lambda: self._reasons, timeout_s)
            return self._take()

    def settle(self, quiet_s: float, at_most_s: float) -> tuple[str, ...]:
        """Return the reasons once none came for `quiet_s`, but after `at_most_s` in any case."""
        deadline_s = time.monotonic() + at_most_s
        with self._condition:
            while (now_s := time.monotonic()) < deadline_s:
                quiet_in_s = self._fired_at_s + quiet_s - now_s
                if quiet_in_s <= 0:
                    break
                self._condition.wait(min(quiet_in_s, deadline_s - now_s))

            return self._take()

    def _take(self) -> tuple[str, ...]:
        reasons = tuple(self._reasons)
        self._reasons = {}
        return reasons
