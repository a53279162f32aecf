"""A token bucket: how often something may happen in the long run, and at once. No clock."""

from dataclasses import dataclass

TICK_S = 1e-6  # a shorter wait may be less than the clock can count


@dataclass(frozen=True, slots=True)
class Rate:
    """What a bucket allows: `per_s` times a second in the long run, `burst` times at once."""

    per_s: float
    burst: int


@dataclass(slots=True)
class Bucket:
    """Counts what happened against a rate. All times are of one monotonic clock."""

    rate: Rate
    _spent: float = 0.0  # tokens that have not come back yet
    _at_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long the next time has to wait; 0: it may be now."""
        wait_s = (self._spent_at(now_s) + 1 - self.rate.burst) / self.rate.per_s
        return wait_s if wait_s > TICK_S else 0.0

    def spend(self, now_s: float, times: int = 1) -> None:
        """Count one time, or as much as `times`, whether it had to wait or not."""
        self._spent = self._spent_at(now_s) + times
        self._at_s = now_s

    def _spent_at(self, now_s: float) -> float:
        returned = (now_s - self._at_s) * self.rate.per_s
        return max(0.0, self._spent - returned)
