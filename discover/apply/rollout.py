"""Bring candidates to HAProxy: at runtime whatever takes no reload, the rest by one.

The owner of what runs.
"""

import logging
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from discover.apply.applier import Applier
from discover.apply.candidates import Candidate
from discover.apply.plan import (
    NOTHING_KNOWN,
    Noop,
    Plan,
    Reload,
    RuntimeUpdate,
    ServerChange,
    keeping_structure,
    step_to,
)
from discover.apply.reload_pace import Pace, RefusedText
from discover.apply.running import Running, Worker
from discover.haproxy.replies import Mismatch
from discover.model.proxy_config import Bind
from discover.snapshot.snapshot import Snapshot
from discover.stubs.debt_keeper import StubDebt
from discover.text.render import Rendered
from sidecar.log import Details

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to HAProxy: changes of servers at runtime, or else a reload."""

    why: str
    took_s: float
    ended_s: float
    changes: tuple[ServerChange, ...] = ()
    is_reload: bool = True
    refused: str = ""  # by HAProxy, and why


@dataclass(frozen=True, slots=True)
class Round:
    """One look at what HAProxy should run: what woke it, and what was done.

    HAProxy runs all of the catalog up to the revision `applied`. No snapshot: nothing is known.
    """

    snapshot: Snapshot | None
    applied: int | None
    reasons: tuple[str, ...]
    deeds: tuple[Deed, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """A candidate that takes a reload, why, and what the plan for it says."""

    candidate: Candidate
    why: str
    step: Plan


class Rollout:
    """Changes HAProxy by candidates.

    Used by the reconcile actor alone; any thread may read `running`.
    """

    def __init__(self, applier: Applier, stubs: StubDebt) -> None:
        self.running = Running()
        self.pace = Pace()
        self._deeds: list[Deed] = []
        self._refused = RefusedText()
        self._applier = applier
        self._stubs = stubs

    def take_deeds(self) -> tuple[Deed, ...]:
        """Return what was done to HAProxy since the last call."""
        deeds, self._deeds = tuple(self._deeds), []
        return deeds

    def lose_worker(self) -> None:
        """Take it that the worker may run anything by now."""
        self.running = self.running.with_worker(None)

    def find_worker(self) -> None:
        """Find out what the worker runs; start HAProxy if it does not run. Raises Unavailable."""
        worker = self._applier.worker(self.running.worker)
        self.running = self.running.with_worker(worker)

    def release(self, yielded: Set[Bind]) -> None:
        """Stop listening at once where a container of this host wants to, before any reload.

        All addresses of such a listener go; the next reload brings back those that may be.
        """
        running = self.running
        if running.config is None or running.worker is None or running.layout is None:
            return

        listeners = running.config.listeners
        left = [each.name for each in listeners if not yielded.isdisjoint(each.binds)]
        if not left:
            return

        deaf = tuple(replace(each, binds=()) if each.name in left else each for each in listeners)
        config = replace(running.config, listeners=deaf)
        rendered = running.layout.render(config, running.sections)
        try:
            worker = self._applier.release(running.worker, rendered, left)
        except Mismatch as why:
            log.warning("cannot leave a port at once, reloading instead: %s", why)
            return

        log.info("left ports to containers of this host %s", Details(listeners=", ".join(left)))
        self.running = Running(worker, config, running.layout)

    def change_at_runtime(self, candidate: Candidate) -> Pending | None:
        """Do all that takes no reload; return what is left, None if that is nothing.

        Raises Rejected.
        """
        step = self._step_to(candidate.rendered)
        why = self._without_reload(step, candidate)
        if not why:
            return None

        self._keep_up(candidate)
        return Pending(candidate, why, step)

    def take_if_due(self, pending: Pending) -> bool:
        """Return whether a reload may run now; if so, it counts as done whatever becomes of it."""
        now_s = time.monotonic()
        self.pace.wanted(pending.why, now_s)
        if now_s < self.pace.due_s:
            return False

        self.pace.dropped()  # also if HAProxy refuses the text: it would only refuse it again
        return True

    def reload(self, candidate: Candidate, pending: Pending) -> None:
        """Make HAProxy run a candidate, the pending one or its form for a reload.

        Raises Rejected.
        """
        is_planned = candidate is pending.candidate
        step = pending.step if is_planned else self._step_to(candidate.rendered)
        why = "to be sure" if isinstance(step, Noop) else step.why

        self._runs(self._reloaded(candidate.rendered, why), candidate)

    def tidy_up(self, candidate: Candidate) -> None:
        """Reload what runs in its form for a reload: each server has a slot, and none rests.

        Raises Rejected; what runs was accepted before, and goes on.
        """
        is_tidy = isinstance(self._step_to(candidate.rendered), Noop)
        if is_tidy and not self._applier.resting:
            return

        worker = self._reloaded(candidate.rendered, "giving every server a slot")
        self._runs(worker, candidate)

    def _step_to(self, wanted: Rendered) -> Plan:
        worker = self.running.worker
        return step_to(wanted, worker.rendered if worker else None)

    def _without_reload(self, step: Plan, candidate: Candidate) -> str:
        """Make HAProxy run a candidate without a reload; return why that cannot be, or nothing."""
        worker = self.running.worker
        if worker is None:
            return NOTHING_KNOWN
        if isinstance(step, Reload):
            return step.why

        if isinstance(step, RuntimeUpdate):
            began_s = time.monotonic()
            try:
                worker = self._applier.update(worker, candidate.rendered, step.changes)
            except Mismatch as why:
                log.warning("a runtime update failed, reloading instead: %s", why)
                return f"a runtime update failed: {why}"
            now_s = time.monotonic()
            self._deeds.append(
                Deed(step.why, now_s - began_s, now_s, step.changes, is_reload=False)
            )
            log.info("updated %s", Details(changes=step.why))
        else:
            # The same text; but one that was read from a file does not tell who has which slot.
            worker = replace(worker, rendered=candidate.rendered)

        self._runs(worker, candidate)
        return ""

    def _keep_up(self, candidate: Candidate) -> None:
        """Change the servers of what runs, before a reload makes its worker deaf to changes."""
        running = self.running
        if running.config is None or running.worker is None:
            return

        kept = keeping_structure(running.config, candidate.config)
        runs_already = kept == running.config and running.layout is candidate.layout
        if runs_already or kept == candidate.config:
            return

        rendered = candidate.layout.render(kept, running.sections)
        kept_up = replace(candidate, config=kept, rendered=rendered)
        self._without_reload(self._step_to(rendered), kept_up)

    def _runs(self, worker: Worker, candidate: Candidate) -> None:
        self.running = Running(worker, candidate.config, candidate.layout)
        self._stubs.update(candidate.config, candidate.rendered.seats)

    def _reloaded(self, wanted: Rendered, why: str) -> Worker:
        """Make HAProxy reload and return the new worker. Raises Rejected."""
        started_s = time.monotonic()
        self._refused.raise_again(wanted.text, started_s)
        calls: Mapping[str, int] = self._stubs.counted()

        try:
            worker = self._applier.reload(self.running.worker, wanted)
        except Rejected as error:
            now_s = time.monotonic()
            self._refused.remember(wanted.text, str(error), now_s)
            self._deeds.append(Deed(why, now_s - started_s, now_s, refused=str(error)))
            raise

        ended_s = time.monotonic()
        self._stubs.carry(calls)
        self.pace.done(ended_s, ended_s - started_s)
        self._deeds.append(Deed(why, ended_s - started_s, ended_s))
        took_ms = round((ended_s - started_s) * 1000)
        log.info("reloaded %s", Details(why=why, took_ms=took_ms))

        return worker
