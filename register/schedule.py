"""When the publisher goes round without an event. Times are of the monotonic clock."""

from dataclasses import dataclass

TURN_S = 10.0  # the loop goes round at least so often, so that a stuck one can be noticed
# A list shows every change that Docker has a word for; this is for what it might not show.
INSPECT_ALL_S = 300.0
# A container that starts is inspected at once, and listed once its own start no longer costs time.
LIST_AFTER_S = 0.25


@dataclass(slots=True)
class Schedule:
    """What is due next."""

    resync_every_s: float
    resync_s: float = 0.0  # everything is compared again
    inspect_s: float = 0.0  # every container is inspected again
    list_s: float | None = None  # all containers are listed, after one was inspected alone
    decide_s: float | None = None  # the last list is judged again

    def timeout_s(self, now_s: float, held_due_s: float | None) -> float:
        """Return how long to wait for an event; `held_due_s`: when held removals are due."""
        times_s = [now_s + TURN_S, self.resync_s]
        others_s = (self.list_s, self.decide_s, held_due_s)
        times_s += [at_s for at_s in others_s if at_s is not None]
        return max(0.0, min(times_s) - now_s)

    def is_resync_due(self, now_s: float) -> bool:
        """Whether everything is to be compared again."""
        return now_s >= self.resync_s

    def is_inspect_due(self, now_s: float) -> bool:
        """Whether the next resync inspects every container."""
        return now_s >= self.inspect_s

    def is_list_due(self, now_s: float) -> bool:
        """Whether a list is to confirm what was inspected alone."""
        return self.list_s is not None and now_s >= self.list_s

    def inspected_alone(self, now_s: float) -> None:
        """Note that containers were inspected without a list."""
        self.list_s = self.list_s or now_s + LIST_AFTER_S

    def resynced(self, now_s: float, *, everything: bool) -> None:
        """Note that a resync began at this time and succeeded."""
        self.resync_s = now_s + self.resync_every_s
        if everything:
            self.inspect_s = now_s + INSPECT_ALL_S

    def no_later_than(self, at_s: float) -> None:
        """Go round at this time, if not before."""
        self.decide_s = min(at_s, self.decide_s or at_s)
