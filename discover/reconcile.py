"""Make HAProxy run what the catalog says, round by round: snapshot, model, text, plan, apply."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace

from catalog.errors import Rejected
from discover.apply.applier import Applier
from discover.apply.candidates import Candidate, Candidates, Wanted
from discover.apply.listeners_file import ListenersFile
from discover.apply.reload_pace import Pace
from discover.apply.rollout import Pending, Rollout, Round
from discover.apply.running import Proxies, Running, proxies_of
from discover.deadlines import Deadlines
from discover.haproxy.host_ports import HostPorts
from discover.host_model import HostModel, Model
from discover.intercepts.wanted import not_led
from discover.model.empty_services import Empty, EmptyServices
from discover.model.http_routes import missing_door
from discover.model.ownership import Listening
from discover.model.proxy_config import HostPolicy, Listener
from discover.model.spare_backends import under_own_names, without_spares
from discover.operator.snippets import Snippets
from discover.operator.templates import Templates
from discover.overrides.overrides import Overrides
from discover.snapshot.snapshot import EMPTY, Snapshot
from discover.stubs.debt_keeper import StubDebt
from sidecar.actors import Actor
from sidecar.atomic_files import Unwritten
from sidecar.memo import Memo
from sidecar.retry import keep_running
from sidecar.status.health import Health
from sidecar.status.problems import Problem, Problems
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

CAP_S = 5.0  # a HAProxy that was away is not waited for longer once it is well
RESTING_MAX = 50  # servers without a slot in maintenance before a reload leaves them out ...
RESTING_SHARE = 0.1  # ... or this share of all servers, whichever is more
TURN_S = 30.0  # how often this loop shows that it still turns

Joining = Callable[[Snapshot], tuple[Snapshot, Mapping[str, Problem]]]


def as_it_is(snapshot: Snapshot) -> tuple[Snapshot, Mapping[str, Problem]]:
    """Join no services of a file."""
    return snapshot, {}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a round looks; each is read when the round begins, whatever woke it."""

    snapshot: Callable[[], Snapshot | None]
    policy: Callable[[], HostPolicy]
    templates: Templates
    listeners_file: ListenersFile
    outside: Joining  # adds the services of a file to the catalog
    snippets: Callable[[], Snippets]
    host_ports: HostPorts = field(default_factory=HostPorts)
    overrides: Overrides = field(default_factory=Overrides)


class Reconcile:
    """The actor that alone changes HAProxy and its files."""

    def __init__(
        self,
        sources: Sources,
        applier: Applier,
        trigger: Trigger,
        *,
        stubs: StubDebt,
        problems: Problems,
        health: Health,
    ) -> None:
        self._sources = sources
        self._applier = applier
        self._trigger = trigger
        self._problems = problems
        self._health = health
        self._stop: threading.Event = applier.stop
        self._proxies = Memo(proxies_of)
        self._empty_services = EmptyServices(sources.listeners_file.save_empty)
        self._host_model = HostModel(sources.policy, self._empty_services, sources.host_ports)
        self._candidates = Candidates(sources.templates, applier.check)
        self._rollout = Rollout(applier, stubs)
        self._deadlines = Deadlines()
        self._recalled = False  # whether the listeners of an earlier life were looked for
        # The revision of the catalog that HAProxy runs all of. For any thread.
        self.applied: int | None = None
        self.followers: list[Callable[[Round], None]] = []  # told after each round, in this thread
        health.expect("haproxy", "template", "catalog")

    @property
    def running(self) -> Running:
        """What HAProxy runs. For any thread."""
        return self._rollout.running

    def empty_since(self, listener: Listener) -> Empty | None:
        """Return how a listener was when its last instance went, and when that was.

        For any thread.
        """
        return self._empty_services.since(listener)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("reconcile", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._trigger.fire("stop")

    def run(self) -> None:
        """Bring HAProxy to the catalog at every wake-up until interrupted."""
        keep_running(
            self._session,
            name="HAProxy",
            stop=self._stop,
            cap_s=CAP_S,
            on_lost=lambda why: self._health.bad("haproxy", why),
        )

    def _session(self) -> None:
        """Go round at every wake-up, first at once, with what runs unknown; Unavailable ends it."""
        self._rollout.lose_worker()
        self._deadlines.tidy(untidy=self._is_untidy())
        reasons: tuple[str, ...] = ("start",)

        while not self._stop.is_set():
            self._health.turned("reconcile")
            now_s = time.monotonic()
            if reasons or now_s >= self._next_s():
                self._round(reasons)

            if reasons:
                self._deadlines.changed(now_s)
            self._deadlines.tidy(untidy=self._is_untidy())
            overrides_in_s = self._sources.overrides.changes_in_s()
            self._deadlines.overrides_s = time.monotonic() + overrides_in_s

            wait_s = self._next_s() - time.monotonic()
            reasons = self._trigger.wait(max(0.0, min(wait_s, TURN_S)))

    def _next_s(self) -> float:
        """Return when there is something to do even if nothing happens."""
        return self._deadlines.next_s(self._rollout.pace.due_s)

    def _is_untidy(self) -> bool:
        """Whether a reload would serve calls better: servers have no slot, or many rest."""
        seats = self.running.seats.values()
        servers = sum(len(each.slots) for each in seats)
        many_rest = self._applier.resting > max(RESTING_MAX, RESTING_SHARE * servers)
        return many_rest or any(each.late for each in seats)

    def _round(self, reasons: tuple[str, ...]) -> None:
        """Bring HAProxy to what the catalog says now. Raises Unavailable."""
        if self.running.worker is None or "haproxy" in reasons:
            self._rollout.find_worker()

        snapshot = self._sources.snapshot()
        if snapshot is None and self._keeps_earlier_file():
            if self.running.worker is not None:
                self._health.good("haproxy")
            return

        self._catch_up()
        try:
            self._problems.update(self._reconciled(snapshot or EMPTY))
        except Unwritten as error:
            if self.running.worker is None:
                raise
            self._put_off(str(error))
            return

        self._conclude(snapshot)
        done = Round(snapshot, self.applied, reasons, self._rollout.take_deeds())
        for follow in self.followers:
            follow(done)

    def _keeps_earlier_file(self) -> bool:
        """Whether HAProxy goes on with an earlier life's file until the catalog is known."""
        return self._applier.has_file() and self.running.config is None

    def _catch_up(self) -> None:
        """Write the files that earlier rounds could not write."""
        with contextlib.suppress(Unwritten):
            self._applier.settle()

    def _conclude(self, snapshot: Snapshot | None) -> None:
        """Note what a round leaves to be done, and whether the catalog is served."""
        self._deadlines.file_written()
        if self._applier.owes:
            self._put_off("HAProxy's file cannot be written")

        if snapshot is None:
            # HAProxy was started with nothing. That reload does not count: the first one for the
            # catalog runs at once.
            self._rollout.pace = Pace()
        elif not self._rollout.pace.is_wanted:
            # Not before: an upgrade stops the old docker-discover once this one is ready, and
            # listeners are still missing while a reload is due.
            self._health.good("catalog")
            self.applied = snapshot.revision

    def _put_off(self, why: str) -> None:
        """Go on with what needs no file, and try the rest again soon."""
        self._deadlines.file_unwritten(time.monotonic())
        self._health.bad("haproxy", why)

    def _reconciled(self, snapshot: Snapshot) -> Mapping[str, Problem]:
        """Make HAProxy run a snapshot, and return what is refused of it, and why."""
        with_outside, refused = self._sources.outside(snapshot)
        joined, overridden = self._sources.overrides.of(with_outside)
        proxies = self._proxies.get(self.running.sections.keys())
        self._recall_earlier(proxies.names)

        yielded = self._host_model.yielded(joined)
        self._rollout.release(yielded.keys())
        # A service that was empty for long lets go of its port.
        long_empty = self._empty_services.long_empty(time.monotonic())
        listening = Listening(proxies.holders_without(long_empty), self.running.binds)
        with self._host_model.of(joined, listening, yielded) as model:
            self._deadlines.ports_tried(time.monotonic(), all_usable=not model.unusable)
            ran = self.running.config
            self._empty_services.update(
                under_own_names(ran) if ran else None, model.config, time.monotonic()
            )
            laid_out = self._roll_out(model, proxies)

        self._report(laid_out)
        lacking = missing_door(model.config.process.door, self.running.routes)
        left = not_led(self.running.config)
        return {**refused, **overridden, **model.problems, **laid_out, **lacking, **left}

    def _recall_earlier(self, names: Set[str]) -> None:
        """Take, once, the listeners of an earlier life that HAProxy still has."""
        if self._recalled:
            return

        self._recalled = True
        file = self._sources.listeners_file
        earlier = file.load()
        if self.running.worker is not None:
            still = tuple(listener for listener in earlier if listener.name in names)
            self._rollout.running = replace(self.running, earlier=still)
            self._empty_services.recall(still, time.monotonic(), file.load_empty())

    def _roll_out(self, model: Model, proxies: Proxies) -> Mapping[str, Problem]:
        """Try candidates until HAProxy takes one; return what it refuses."""
        running = self.running
        wanted = Wanted(
            services=model.with_empty(self._empty_services),
            snippets=self._sources.snippets(),
            running=running.config,
            sections=running.sections,
            proxies=proxies.names,
            good=running.good_listeners(),
        )

        for candidate in self._candidates.each(wanted):
            try:
                self._try(candidate, model)
            except Rejected as error:
                self._candidates.refused(error)
            else:
                self._candidates.accepted(candidate)
                break

        return self._candidates.problems

    def _try(self, candidate: Candidate, model: Model) -> None:
        """Make HAProxy run a candidate; what takes a reload waits until one is due.

        Raises Rejected.
        """
        pending = self._rollout.change_at_runtime(candidate)
        if pending is not None:
            if not self._rollout.take_if_due(pending):
                return  # accepted so far: its reload comes later
            self._reload(pending, model)
        elif self._deadlines.take_tidying(time.monotonic()):
            self._tidy_up(candidate)

        self._rollout.pace.dropped()
        self._sources.templates.accept(candidate.layout)
        self._health.good("haproxy")

    def _tidy_up(self, candidate: Candidate) -> None:
        candidate = candidate.for_reload(self.running.sections)
        with contextlib.suppress(Rejected):
            self._rollout.tidy_up(candidate)
            self._save_listeners(candidate)

    def _reload(self, pending: Pending, model: Model) -> None:
        candidate = pending.candidate
        if self._empty_services.forget(time.monotonic(), model.holds):
            services = model.with_empty(self._empty_services)
            candidate = self._candidates.again(candidate, services)

        candidate = candidate.for_reload(self.running.sections)
        self._rollout.reload(candidate, pending)
        self._save_listeners(candidate)

    def _save_listeners(self, candidate: Candidate) -> None:
        self._sources.listeners_file.save(without_spares(candidate.config.listeners))

    def _report(self, problems: Mapping[str, Problem]) -> None:
        """Say by /readyz whether the template and the configuration are accepted."""
        for what in ("template", "configuration"):
            if what in problems:
                self._health.bad(what, problems[what].text)
            else:
                self._health.good(what)
