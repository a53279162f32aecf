"""Ask HAProxy how suspects' checks go, while there are suspects. It asks nothing else."""

import contextlib
import math
import threading
import time
from collections.abc import Callable

from catalog.errors import Unavailable
from discover.apply.running import Running
from discover.apply.suspect_checks import Places, questions, results_of
from discover.haproxy.batches import batches
from discover.haproxy.process import HAProxy
from discover.model.spare_backends import door_backends
from discover.snapshot.keeper import Checked, Keeper
from discover.snapshot.state import State, checked
from sidecar.actors import Actor
from sidecar.trigger import Trigger

ASK_S = 0.5  # HAProxy checks a failing server every half second
SHARE = 20  # a question that took long is asked again only after so many times as long
# Several hosts that expire in a row are one question.
QUIET_S = 0.2
AT_MOST_S = 1.0


class AskSuspects:
    """The actor that leaves the keeper what HAProxy says, and says when waiting is over."""

    def __init__(
        self,
        keeper: Keeper,
        haproxy: HAProxy,
        changed: Trigger,
        runs: Callable[[], Running],
    ) -> None:
        self._keeper = keeper
        self._haproxy = haproxy
        self._changed = changed
        self._runs = runs
        self._awake = Trigger()
        self._stop = threading.Event()
        self._waited = keeper.waits
        self._ask_s = -math.inf  # when the next question may be
        keeper.follow(self._look)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("ask suspects", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._awake.fire("stop")

    def run(self) -> None:
        """Ask whenever it is time to, until interrupted."""
        while not self._stop.is_set():
            if self._awake.wait(self._pause_s()):
                self._awake.settle(QUIET_S, AT_MOST_S)
            self._ask()
            self._end_waiting()

    def _look(self) -> None:
        if _needs_time(self._keeper.state) or self._keeper.waits:
            self._awake.fire("state")

    def _pause_s(self) -> float | None:
        if self._waited:
            return ASK_S
        if _needs_time(self._keeper.state):
            return max(0.0, self._ask_s - time.monotonic())
        return None

    def _ask(self) -> None:
        state = self._keeper.state
        started_s = time.monotonic()
        if not _needs_time(state) or started_s < self._ask_s:
            return

        step = self._checked(state)
        after = checked(state, step.results, step.at_s)
        if after.suspects != state.suspects or after.rewound != state.rewound:
            self._keeper.leave(step)

        took_s = time.monotonic() - started_s
        self._ask_s = time.monotonic() + max(ASK_S, SHARE * took_s)

    def _checked(self, state: State) -> Checked:
        """Return what HAProxy says of the suspects now. No answer is no evidence."""
        suspects = state.suspects
        claims = state.view.claims
        running = self._runs()
        places = Places(door_backends(running.config), running.seats)
        answers: list[str] = []

        with contextlib.suppress(Unavailable):
            for line in batches(questions(suspects, claims, places)):
                answers.append(self._haproxy.ask(line))

        results = results_of("\n".join(answers), suspects, claims, places)
        return Checked(results, time.monotonic())

    def _end_waiting(self) -> None:
        """Wake whoever applies once the keeper holds its snapshot back no longer."""
        waited, self._waited = self._waited, self._keeper.waits
        if waited and not self._waited:
            self._changed.fire("time")


def _needs_time(state: State) -> bool:
    """Whether a state changes by time, or by what HAProxy says."""
    return bool(state.suspects or state.rewound.unbelieved)
