"""End the process when one of its loops no longer turns: nobody can end a wedged thread, but a supervisor starts anew.

Nothing inside can help a process that is stopped as a whole; that takes the image's HEALTHCHECK, or whatever asks it.
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
class Watch:
    """Counts own looks at which a loop had not turned, not time: a machine that slept is no fault of a loop."""

    limits_s: Mapping[str, float]
    _at: dict[str, float] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)

    def look(self, turned: Mapping[str, float]) -> str | None:
        """Return a loop that is stuck. `turned`: when each loop that has work turned last."""
        for loop, limit_s in self.limits_s.items():
            same = loop in turned and self._at.get(loop) == turned[loop]
            self._looks[loop] = self._looks.get(loop, 0) + 1 if same else 0
            self._at[loop] = turned.get(loop, math.nan)
            if self._looks[loop] * LOOK_S > limit_s:
                return loop
        return None


def watchdog(
    limits_s: Mapping[str, float],
    turned: Callable[[], Mapping[str, float]],
    end: Callable[[int], object] = os._exit,
) -> Actor:
    """Return the actor that looks. It ends the process at once: what is wedged takes no part in an orderly end."""
    stop, watch = threading.Event(), Watch(limits_s)

    def run() -> None:
        while not stop.wait(LOOK_S):
            if (loop := watch.look(turned())) is not None:
                log.error(
                    "stuck, ending the process %s",
                    Details(loop=loop, seconds=f"{limits_s[loop]:g}"),
                )
                end(STATUS)

    return Actor("watchdog", run, stop.set)
