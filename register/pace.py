"""How fast one registrar may write, so that a hundred of them together do not bury etcd. No I/O, no clock."""

from dataclasses import dataclass

# Transactions. One settles a burst of events and holds up to 100 changes, so these bounds delay only a host gone mad.
PER_S, BURST = 10.0, 20
# After the lease was lost everything has to be put again, most likely by every host at the same time: a hundred
# hosts of two transactions each then stay below a hundred writes a second, even if none had waited at random before.
AGAIN_PER_S, AGAIN_BURST = 1.0, 1
TICK_S = 1e-6  # a shorter wait may be less than the clock can count


@dataclass(slots=True)
class Pace:
    """A token bucket: `per_s` writes a second in the long run, `burst` of them at once."""

    per_s: float
    burst: int
    spent: float = 0.0  # tokens that have not come back yet
    at_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long the next write has to wait; 0: it may go now."""
        wait_s = (self._spent(now_s) + 1 - self.burst) / self.per_s
        return wait_s if wait_s > TICK_S else 0.0

    def spend(self, now_s: float) -> None:
        """Count a write."""
        self.spent, self.at_s = self._spent(now_s) + 1, now_s

    def _spent(self, now_s: float) -> float:
        return max(0.0, self.spent - (now_s - self.at_s) * self.per_s)
