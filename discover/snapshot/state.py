"""The snapshot to apply: what etcd says, what evidence lets stay, and at the start what an earlier life knew.

The thread that applies snapshots owns the state; watch and checks leave it steps, in order, and wake it. Anybody may
read `state`, which is replaced and never changed.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from discover.snapshot.departures import Departures
from discover.snapshot.snapshot import Snapshot
from discover.snapshot.suspects import State, Suspect, Verdict, judge, learn
from sidecar.log import Details
from sidecar.metrics import Metrics

log = logging.getLogger(__name__)

UNLISTED_S = 1.5  # without etcd's word; then an earlier life's is better than none
EMPTY_S = 30.0  # an etcd without a single instance is more often a new or wrong one than a fleet without any


@dataclass(frozen=True, slots=True)
class Learned:
    """A new catalog, and why what it lacks is gone; that was last there at `seen_s`, if not just before."""

    snapshot: Snapshot
    departures: Departures
    at_s: float
    seen_s: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What HAProxy said of the suspects' checks."""

    verdicts: Mapping[str, Verdict]
    at_s: float


class Keeper:
    """`state`, and the steps that are still to be taken. `snapshot` is for one thread, all else for any."""

    def __init__(self, state: State | None, *, had_file: bool, metrics: Metrics) -> None:
        self.state = state or State()
        self._followers: list[Callable[[], None]] = []
        self._remembers = bool(self.state.view.services)
        self._was_empty = state is not None and not self._remembers
        self._listed = False  # whether etcd itself has said anything in this life
        self._had_file = had_file  # HAProxy runs from it, or can
        self._started_s = time.monotonic()
        self._known_at = -math.inf
        self._steps: deque[Learned | Judged] = deque()
        self._suspects = metrics.gauge(
            "discover_suspects", "Instances that are called although etcd names them no more"
        )
        self._frozen = metrics.gauge(
            "discover_frozen", "1 while removals are frozen, as a mass of hosts vanished"
        )
        self._revision = metrics.gauge(
            "discover_catalog_revision", "Revision of etcd that is applied"
        )
        age = metrics.gauge(
            "discover_catalog_age_seconds", "Since etcd last said or confirmed something"
        )
        age.set_function(lambda: time.monotonic() - self._known_at)

    def leave(self, step: Learned | Judged) -> None:
        """Leave a step for the next `snapshot`."""
        self._steps.append(step)

    def follow(self, look: Callable[[], None]) -> None:
        """Call `look` after each step, in the thread that applies."""
        self._followers.append(look)

    @property
    def listed(self) -> State | None:
        """The state, once etcd itself has said anything in this life."""
        return self.state if self._listed else None

    def confirm(self) -> None:
        """Say that etcd was heard just now."""
        self._known_at = time.monotonic()

    @property
    def waits(self) -> bool:
        """Whether `snapshot` may change by nothing but time."""
        return self._withheld(time.monotonic())

    def snapshot(self) -> Snapshot | None:
        """Take all steps, and return what to apply; None: leave everything as it is."""
        while self._steps:
            step = self._steps.popleft()
            if not (self._steps and _says_less(step, self._steps[0])):
                before = self.state
                self._take(step)
                _tell(before, self.state)
        self._suspects.set(len(self.state.suspects))
        self._frozen.set(1 if self.state.frozen else 0)
        self._revision.set(self.state.catalog.revision)
        for look in self._followers:
            look()
        return None if self._withheld(time.monotonic()) or not self._knows() else self.state.view

    def _knows(self) -> bool:
        return self._listed or self._remembers

    def _withheld(self, now_s: float) -> bool:
        """Whether the file that HAProxy has is better than what is known here."""
        if not self._had_file:
            return False
        if not self._listed:
            return now_s < self._started_s + UNLISTED_S
        surprises = not self._remembers and not self._was_empty and not self.state.view.services
        return surprises and now_s < self._started_s + EMPTY_S

    def _take(self, step: Learned | Judged) -> None:
        if isinstance(step, Judged):
            self.state = judge(self.state, step.verdicts, step.at_s)
            return
        self._listed = True
        self.state = learn(self.state, step.snapshot, step.departures, step.at_s, step.seen_s)

    def explained(self) -> Mapping[str, Any]:
        """Return the suspects, for /explain."""
        ahead_s, state = time.time() - time.monotonic(), self.state
        suspects = {key: _explained(suspect, ahead_s) for key, suspect in state.suspects.items()}
        return {
            "suspects": suspects,
            "frozen": bool(state.frozen),
            "purged": sorted(state.catalog.purged),
            "claims": {
                service: claim.port for service, claim in sorted(state.catalog.claims.items())
            },
        }


def _says_less(step: Learned | Judged, following: Learned | Judged) -> bool:
    """Whether a step can be left out as the next one says all of it: so a herd that comes back is one step."""
    if not isinstance(step, Learned) or not isinstance(following, Learned):
        return False
    return not step.departures and not following.departures and following.seen_s is None


def _explained(suspect: Suspect, ahead_s: float) -> Mapping[str, Any]:
    def at(moment_s: float | None) -> str | None:
        return (
            None
            if moment_s is None
            else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_s + ahead_s))
        )

    return {
        "reason": suspect.reason,
        "since": at(suspect.since_s),
        "until": at(suspect.until_s),
        "frozen": suspect.frozen,
        "check_fails_since": at(suspect.failing_s),
        "host_back_since": at(suspect.returned_s),
        "at": "{} port {}".format(*suspect.record.endpoint),
    }


def _tell(before: State, after: State) -> None:
    """Log what a step did, once."""
    new = [suspect for key, suspect in after.suspects.items() if key not in before.suspects]
    if new:
        seen = Details(
            instances=len(new), hosts=_hosts(new), why=",".join(sorted({s.reason for s in new}))
        )
        log.warning(
            "not in etcd any more, and nobody said that they stopped: called while their checks pass %s",
            seen,
        )
    if after.frozen and not before.frozen:
        seen = Details(suspects=len(after.suspects), hosts=_hosts(after.suspects.values()))
        log.error(
            "removals are frozen: too many hosts vanished at once, or the store was wiped or restored %s",
            seen,
        )
    for why, keys in groupby(
        sorted(after.dropped, key=lambda key: after.dropped[key]), lambda key: after.dropped[key]
    ):
        gone = tuple(keys)
        log.info("no longer in doubt: %s %s", why, Details(instances=len(gone), first=gone[0]))
    if before.frozen and not after.frozen:
        log.info("removals are no longer frozen")


def _hosts(suspects: Any) -> str:
    hosts = sorted({suspect.record.key.host for suspect in suspects})
    return ",".join(hosts[:5]) + (f",… ({len(hosts)})" if len(hosts) > 5 else "")
