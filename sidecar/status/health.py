"""Know whether this process works: facts that must hold, and loops that must turn. No I/O."""

import logging
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)

NOT_YET = "not yet"


class Health:
    """Named facts and loops, each reported by one actor.

    The process is ready when all facts are good, and healthy while every loop that has work turns.
    """

    def __init__(self, *, stuck_after_s: float) -> None:
        self._facts: dict[str, str | None] = {}
        self._turned: dict[str, float] = {}
        self._stuck_after_s = stuck_after_s

    def expect(self, *names: str) -> None:
        """Count these facts as not ready until they are reported good."""
        self._facts.update(dict.fromkeys(names, NOT_YET))

    def good(self, name: str) -> None:
        """Report that a fact holds; logged if it did not before."""
        if self._facts.get(name) not in (None, NOT_YET):
            log.info("%s works again", name)
        self._facts[name] = None

    def bad(self, name: str, why: str) -> None:
        """Report that a fact does not hold, and why, in one line."""
        self._facts[name] = why

    def turned(self, loop: str) -> None:
        """Report that a loop has gone round; one that stays silent for too long is stuck."""
        self._turned[loop] = time.monotonic()

    def rests(self, loop: str) -> None:
        """Report that a loop has nothing to do: it waits for others, and cannot be stuck."""
        self._turned.pop(loop, None)

    def last_turned(self) -> Mapping[str, float]:
        """Return when each loop that has work went round last, by the monotonic clock."""
        return dict(self._turned)

    def not_ready(self) -> Mapping[str, str]:
        """Return the facts that do not hold, and why."""
        return {name: why for name, why in dict(self._facts).items() if why is not None}

    def stuck(self) -> Mapping[str, str]:
        """Return the loops that stopped turning, and since when."""
        now_s = time.monotonic()
        silent = {loop: now_s - at_s for loop, at_s in self.last_turned().items()}
        return {
            loop: f"no progress for {silent_s:.0f} s"
            for loop, silent_s in silent.items()
            if silent_s > self._stuck_after_s
        }
