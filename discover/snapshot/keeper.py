"""Keep the state of the catalog, and say which snapshot to apply: at the start, and without etcd.

The thread that applies snapshots owns the state. The watch and the checks leave steps for it, in
order, and wake it. Any thread may read `state`, which is replaced and never changed.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from discover.snapshot.departures import Departures
from discover.snapshot.holds import told
from discover.snapshot.snapshot import Snapshot
from discover.snapshot.state import State, checked, learn
from discover.snapshot.suspects import CheckResult, Suspect
from sidecar.log import Details
from sidecar.status.metrics import Metrics
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

# Without a word of etcd: then what an earlier life knew is better than nothing.
UNLISTED_S = 1.5
# An etcd without a single instance is more often a new or wrong one than a fleet without any.
EMPTY_S = 30.0
NAMED_MAX = 5  # hosts in one line of the log


@dataclass(frozen=True, slots=True)
class Learned:
    """A new catalog, and why what it lacks is gone.

    That was last there at `seen_s`; None: just before.
    """

    snapshot: Snapshot
    departures: Departures
    at_s: float
    seen_s: float | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What HAProxy said of the suspects' checks."""

    results: Mapping[str, CheckResult]
    at_s: float


Step = Learned | Checked


class Keeper:
    """`state`, and the steps still to take. `snapshot` is for one thread, all else for any."""

    def __init__(
        self, state: State | None, *, had_file: bool, changed: Trigger, metrics: Metrics
    ) -> None:
        self.state = state or State()
        self._changed = changed
        self._followers: list[Callable[[], None]] = []
        # Told of each step, with the state before and after it.
        self.stepped: Callable[[State, State], None] = lambda _before, _after: None
        self._remembers = bool(self.state.view.services)
        self._was_empty = state is not None and not self._remembers
        self._is_listed = False  # whether etcd itself has said anything in this life
        self._had_file = had_file  # HAProxy runs from it, or can
        self._started_s = time.monotonic()
        self._confirmed_s = -math.inf
        self._steps: deque[Step] = deque()
        self._metrics = _CatalogMetrics(metrics, lambda: time.monotonic() - self._confirmed_s)

    def leave(self, step: Step) -> None:
        """Leave a step for the next `snapshot`, and wake the thread that applies."""
        self._steps.append(step)
        self._changed.fire("catalog" if isinstance(step, Learned) else "evidence")

    def follow(self, look: Callable[[], None]) -> None:
        """Call `look` after each `snapshot`, in the thread that applies."""
        self._followers.append(look)

    @property
    def listed(self) -> State | None:
        """The state, once etcd itself has said anything in this life."""
        return self.state if self._is_listed else None

    def measure(self, level: Callable[[int], int]) -> None:
        """Show as a metric up to which revision the state is right."""
        self._metrics.revision.set_function(lambda: level(self.state.catalog.revision))

    def confirm(self) -> None:
        """Record that etcd was heard just now."""
        self._confirmed_s = time.monotonic()

    @property
    def waits(self) -> bool:
        """Whether `snapshot` may change by nothing but time."""
        return self._is_withheld(time.monotonic())

    def snapshot(self) -> Snapshot | None:
        """Take all steps, and return what to apply; None: leave everything as it is."""
        while self._steps:
            step = self._steps.popleft()
            if self._steps and _says_less(step, self._steps[0]):
                continue

            before = self.state
            self._take(step)
            _log_change(before, self.state)
            self.stepped(before, self.state)

        self._metrics.show(self.state)
        for look in self._followers:
            look()

        is_known = self._is_listed or self._remembers
        return self.state.view if is_known and not self.waits else None

    def _is_withheld(self, now_s: float) -> bool:
        """Whether the file that HAProxy has is better than what is known here."""
        if not self._had_file:
            return False
        if not self._is_listed:
            return now_s < self._started_s + UNLISTED_S

        surprises = not self._remembers and not self._was_empty and not self.state.view.services
        return surprises and now_s < self._started_s + EMPTY_S

    def _take(self, step: Step) -> None:
        if isinstance(step, Checked):
            self.state = checked(self.state, step.results, step.at_s)
            return

        self._is_listed = True
        self.state = learn(self.state, step.snapshot, step.departures, step.at_s, step.seen_s)

    def explained(self) -> Mapping[str, Any]:
        """Return the suspects and what holds for whole hosts and services, for /explain."""
        ahead_s = time.time() - time.monotonic()
        state = self.state
        claims = sorted(state.catalog.claims.items())
        return {
            "suspects": {key: _explained(it, ahead_s) for key, it in state.suspects.items()},
            "frozen": bool(state.frozen),
            "purged": sorted(state.catalog.purged),
            "claims": {service: claim.port for service, claim in claims},
            "holds": {
                f"{key.kind} {key.thing}": f"{held.holder}{told(held)}"
                for key, held in sorted(state.view.holds.items())
            },
        }


class _CatalogMetrics:
    """What is shown of the state as metrics."""

    def __init__(self, metrics: Metrics, age_s: Callable[[], float]) -> None:
        self._suspects = metrics.gauge(
            "discover_suspects", "Instances that get calls although etcd no longer has them"
        )
        self._frozen = metrics.gauge(
            "discover_frozen", "1 while removals are frozen because many hosts vanished at once"
        )
        self.revision = metrics.gauge("discover_catalog_revision", "Applied revision of etcd")
        age = metrics.gauge(
            "discover_catalog_age_seconds", "Seconds since etcd last sent or confirmed the catalog"
        )
        age.set_function(age_s)

    def show(self, state: State) -> None:
        self._suspects.set(len(state.suspects))
        self._frozen.set(1 if state.frozen else 0)


def _says_less(step: Step, following: Step) -> bool:
    """Whether a step can be left out, as the next one says all of it.

    So a herd of hosts that comes back is one step.
    """
    if not isinstance(step, Learned) or not isinstance(following, Learned):
        return False
    return not step.departures and not following.departures and following.seen_s is None


def _explained(suspect: Suspect, ahead_s: float) -> Mapping[str, Any]:
    def at(moment_s: float | None) -> str | None:
        if moment_s is None:
            return None
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_s + ahead_s))

    return {
        "reason": suspect.reason,
        "since": at(suspect.since_s),
        "until": at(suspect.until_s),
        "frozen": suspect.frozen,
        "check_fails_since": at(suspect.failing_s),
        "host_back_since": at(suspect.returned_s),
        "at": "{} port {}".format(*suspect.record.endpoint),
    }


def _log_change(before: State, after: State) -> None:
    """Log what a step did, once."""
    new = [suspect for key, suspect in after.suspects.items() if key not in before.suspects]
    if new:
        reasons = sorted({suspect.reason for suspect in new})
        log.warning(
            "gone from etcd without a reported stop: called while their checks pass %s",
            Details(instances=len(new), hosts=_hosts(new), why=",".join(reasons)),
        )

    if after.frozen and not before.frozen:
        log.error(
            "removals are frozen: too many hosts vanished at once, "
            "or the store was wiped or restored %s",
            Details(suspects=len(after.suspects), hosts=_hosts(after.suspects.values())),
        )

    by_reason = sorted(after.dropped, key=after.dropped.__getitem__)
    for why, group in groupby(by_reason, after.dropped.__getitem__):
        keys = tuple(group)
        log.info("no longer suspect: %s %s", why, Details(instances=len(keys), first=keys[0]))

    if before.frozen and not after.frozen:
        log.info("removals are no longer frozen")


def _hosts(suspects: Iterable[Suspect]) -> str:
    hosts = sorted({suspect.record.key.host for suspect in suspects})
    more = f",… ({len(hosts)})" if len(hosts) > NAMED_MAX else ""
    return ",".join(hosts[:NAMED_MAX]) + more
