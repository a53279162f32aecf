"""A wake-up that many threads may fire and one thread waits for. Carries reasons, never data."""

import threading
import time


class Trigger:
    """Coalesces wake-ups: whatever is fired while the waiter works is one more round, exactly once.

    The only locks of the project outside adapters are in here.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._reasons: dict[str, None] = {}  # a set that keeps its order
        self._fired_at = 0.0

    def fire(self, reason: str) -> None:
        """Wake the waiter, now or at its next wait. Never blocks."""
        with self._condition:
            self._reasons[reason] = None
            self._fired_at = time.monotonic()
            self._condition.notify_all()

    def wait(self, timeout_s: float | None = None) -> tuple[str, ...]:
        """Return the reasons fired since the last wait, in order; none when the time is over."""
        with self._condition:
            self._condition.wait_for(lambda: self._reasons, timeout_s)
            return self._take()

    def settle(self, quiet_s: float, at_most_s: float) -> tuple[str, ...]:
        """Return the reasons once none came for `quiet_s`, but after `at_most_s` in any case."""
        deadline = time.monotonic() + at_most_s
        with self._condition:
            while (now := time.monotonic()) < deadline:
                still = self._fired_at + quiet_s - now
                if still <= 0:
                    break
                self._condition.wait(min(still, deadline - now))
            return self._take()

    def _take(self) -> tuple[str, ...]:
        reasons, self._reasons = tuple(self._reasons), {}
        return reasons
