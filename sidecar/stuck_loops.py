"""End the process when one of its loops no longer turns.

Nobody can end a stuck thread, but a supervisor can start the process again. A process that is
stopped as a whole cannot help itself; that takes the image's HEALTHCHECK, or another caller.
"""

import logging
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sidecar.actors import Actor
from sidecar.log import Details

log = logging.getLogger(__name__)

LOOK_S = 1.0
STATUS = 1


@dataclass(slots=True)
class StuckLoops:
    """Finds a loop that is stuck.

    Counts its own looks at which a loop had not turned, not time: after a machine slept, no loop is
    stuck.
    """

    limits_s: Mapping[str, float]
    _turned_at: dict[str, float] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)

    def look(self, last_turned: Mapping[str, float]) -> str | None:
        """Return a loop that is stuck. `last_turned`: when each loop that has work turned last."""
        for loop, limit_s in self.limits_s.items():
            is_same = loop in last_turned and self._turned_at.get(loop) == last_turned[loop]
            self._looks[loop] = self._looks.get(loop, 0) + 1 if is_same else 0
            self._turned_at[loop] = last_turned.get(loop, math.nan)

            if self._looks[loop] * LOOK_S > limit_s:
                return loop
        return None


def end_when_stuck(
    limits_s: Mapping[str, float],
    last_turned: Callable[[], Mapping[str, float]],
    end: Callable[[int], object] = os._exit,
) -> Actor:
    """Return the actor that looks.

    It ends the process at once: what is stuck takes no part in an orderly end.
    """
    stop = threading.Event()
    stuck = StuckLoops(limits_s)

    def run() -> None:
        while not stop.wait(LOOK_S):
            loop = stuck.look(last_turned())
            if loop is not None:
                details = Details(loop=loop, seconds=f"{limits_s[loop]:g}")
                log.error("stuck, ending the process %s", details)
                end(STATUS)

    return Actor("watchdog", run, stop.set)
