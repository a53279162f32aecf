"""Ask HAProxy how suspects' checks go while there are suspects, and keep the snapshot on disk. Nothing while idle."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable

from catalog.errors import Unavailable
from discover.apply.suspect_checks import questions, results_of
from discover.haproxy.batches import batches
from discover.haproxy.process import HAProxy
from discover.model.config import ProxyConfig
from discover.model.spare_backends import door_backends
from discover.snapshot.keeper import Checked, Keeper
from discover.snapshot.saved_file import SavedFile
from discover.snapshot.state import State, checked
from sidecar.actors import Actor
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

ASK_S = 0.5  # HAProxy checks a failing server every half second
QUIET_S, AT_MOST_S = 0.2, 1.0  # before a save: a burst is one
SHARE = 20  # what took long is done again only after so many times as long
AGAIN_S = 3.0  # after a save that failed


class Upkeep:
    """The actor that does what no change waits for."""

    def __init__(
        self,
        keeper: Keeper,
        haproxy: HAProxy,
        file: SavedFile,
        changed: Trigger,
        runs: Callable[[], ProxyConfig | None],
    ) -> None:
        self._runs = runs
        self._keeper, self._haproxy, self._file, self._changed = keeper, haproxy, file, changed
        self._awake = Trigger()
        self._stop = threading.Event()
        self._saved = keeper.state
        self._waited = keeper.waits
        self._ask_s = self._save_s = -math.inf  # when the next question and the next save may be
        keeper.follow(self._look)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("upkeep", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._awake.fire("stop")

    def run(self) -> None:
        """Follow the keeper until interrupted; what is not saved by then is saved last."""
        while not self._stop.is_set():
            if self._awake.wait(self._pause_s()):
                self._awake.settle(QUIET_S, AT_MOST_S)
            self._ask()
            self._tell_time()
            if time.monotonic() >= self._save_s:
                self._save()
        self._save()

    def _look(self) -> None:
        state = self._keeper.state
        if _needs_time(state) or state is not self._saved or self._keeper.waits:
            self._awake.fire("state")

    def _tell_time(self) -> None:
        """Wake who applies once the keeper holds its snapshot back no longer."""
        waited, self._waited = self._waited, self._keeper.waits
        if waited and not self._waited:
            self._changed.fire("time")

    def _pause_s(self) -> float | None:
        if self._waited:
            return ASK_S
        if _needs_time(self._keeper.state):
            return max(0.0, self._ask_s - time.monotonic())
        return (
            max(0.0, self._save_s - time.monotonic())
            if self._is_unsaved(self._keeper.state)
            else None
        )

    def _ask(self) -> None:
        state, started_s = self._keeper.state, time.monotonic()
        if not _needs_time(state) or started_s < self._ask_s:
            return
        answers, claims, behind = list[str](), state.view.claims, door_backends(self._runs())
        with contextlib.suppress(
            Unavailable
        ):  # no answer is no evidence; time goes on all the same
            answers.extend(
                self._haproxy.ask(line)
                for line in batches(questions(state.suspects, claims, behind))
            )
        step = Checked(
            results_of("\n".join(answers), state.suspects, claims, behind), time.monotonic()
        )
        after = checked(state, step.results, step.at_s)
        if after.suspects != state.suspects or after.rewound != state.rewound:
            self._keeper.leave(step)
        self._ask_s = time.monotonic() + max(ASK_S, SHARE * (time.monotonic() - started_s))

    def _is_unsaved(self, state: State) -> bool:
        saved = self._saved
        if state is saved:
            return False
        same = (
            state.catalog.same_as(saved.catalog) and state.catalog.cluster == saved.catalog.cluster
        )
        return not same or state.suspects != saved.suspects

    def _save(self) -> None:
        state = self._keeper.state
        if not self._is_unsaved(state):
            self._saved = state
            return
        started_s = time.monotonic()
        if self._file.save(state):
            self._saved = state
            self._save_s = time.monotonic() + SHARE * (time.monotonic() - started_s)
        else:
            self._save_s = time.monotonic() + AGAIN_S


def _needs_time(state: State) -> bool:
    """Whether a state changes by time, or by what HAProxy says."""
    return bool(state.suspects or state.rewound.unbelieved)
