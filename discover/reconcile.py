"""Make HAProxy run what the catalog says: build, render, plan, apply. The owner of what is running."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from discover.apply.applier import Applier, Running
from discover.apply.candidates import Fitting, Given
from discover.apply.listeners_file import ListenersFile
from discover.apply.plan import Noop, Reload, RuntimeUpdate, keeping_structure, step_to
from discover.apply.reload_pace import Pace
from discover.apply.running import Proxies
from discover.haproxy.ports import trial
from discover.haproxy.replies import Mismatch
from discover.model.build import BuildMemo, build
from discover.model.config import Bind, HostPolicy, Listener, ProxyConfig
from discover.model.empty_services import EmptyServices, with_empty_services
from discover.model.http_routes import missing_door
from discover.model.ownership import Listening
from discover.model.spare_backends import (
    in_spare_backends,
    under_own_names,
    with_spare_backends,
    without_spares,
)
from discover.operator.snippets import Snippets
from discover.operator.templates import Templates
from discover.snapshot.snapshot import EMPTY, Snapshot
from discover.stubs.calls import StubDebt
from discover.text.render import Layout, Rendered
from sidecar.actors import Actor
from sidecar.atomic_files import Unwritten
from sidecar.log import Details
from sidecar.retry import keep_running
from sidecar.status.health import Health
from sidecar.status.problems import Problem, Problems
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

CAP_S = 5.0  # a full disk, or a HAProxy that was away, is not waited for longer once it is well
AGAIN_S = 30.0  # a port that another program holds is tried again after this
RESTING_MAX = 50  # servers in maintenance before a reload sweeps them out ...
RESTING_SHARE = 0.1  # ... or this share of all servers, whichever is more ...
QUIET_S = 60.0  # ... once nothing has changed for so long
TURN_S = 30.0  # how often this loop shows that it still turns


Joining = Callable[[Snapshot], tuple[Snapshot, Mapping[str, Problem]]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a round looks; each is read when the round begins, whatever woke it."""

    snapshot: Callable[[], Snapshot | None]
    policy: Callable[[], HostPolicy]
    templates: Templates
    listeners_file: ListenersFile
    outside: Joining  # adds the services of a file to the catalog
    snippets: Callable[[], Snippets]


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
        self.config: ProxyConfig | None = None  # what runs, for whoever asks
        self._sources = sources
        self._applier = applier
        self._trigger = trigger
        self._stubs = stubs
        self._problems = problems
        self._health = health
        self._stop: threading.Event = applier.stop
        self._running: Running | None = None
        self._known = BuildMemo()
        self._proxies = Proxies()
        self._empty_services = EmptyServices(sources.listeners_file.save_empty)
        self._fitting = Fitting(sources.templates, applier)
        self.gone = self._empty_services.since
        self._earlier: tuple[Listener, ...] | None = sources.listeners_file.load()
        self._ran: tuple[Listener, ...] = ()  # what of that HAProxy still did at the start
        self._refused = ("", "", -math.inf)  # the text that HAProxy refused last, why, and when
        self._unusable: Mapping[Bind, str] = {}
        self._tried_s = self._changed_s = -math.inf
        self._room_s = math.inf  # when a file that could not be written is tried again
        self._pace = Pace()
        health.expect("haproxy", "template", "catalog")

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
        self._running = None
        reasons: tuple[str, ...] = ("start",)
        while not self._stop.is_set():
            self._health.turned("reconcile")
            now_s = time.monotonic()
            if reasons or now_s >= self._due_s():
                self._round(reasons)
            self._changed_s = now_s if reasons else self._changed_s
            reasons = self._trigger.wait(max(0.0, min(self._due_s() - time.monotonic(), TURN_S)))

    def _due_s(self) -> float:
        """Return when something has to be done even if nothing happens."""
        due = [self._pace.due_s, self._room_s]
        if self._unusable:
            due.append(self._tried_s + AGAIN_S)
        if self._too_many_rest():
            due.append(self._changed_s + QUIET_S)
        return min(due)

    def _too_many_rest(self) -> bool:
        servers = (
            sum(len(listener.servers) for listener in self.config.listeners) if self.config else 0
        )
        return self._applier.resting > max(RESTING_MAX, RESTING_SHARE * servers)

    def _round(self, reasons: tuple[str, ...]) -> None:
        if self._running is None or "haproxy" in reasons:
            self._running = self._applier.running(self._running)
        snapshot = self._sources.snapshot()
        if snapshot is None and self._applier.has_file() and self.config is None:
            # Nothing is known of the catalog yet: what HAProxy runs is better than an empty configuration.
            if self._running is not None:
                self._health.good("haproxy")
            return
        if self._too_many_rest() and time.monotonic() >= self._changed_s + QUIET_S:
            self._sweep()
        with contextlib.suppress(Unwritten):
            self._applier.settle()
        try:
            joined, refused = self._sources.outside(snapshot or EMPTY)
            self._problems.update({**refused, **self._reconciled(joined)})
        except Unwritten as error:
            if self._running is None:
                raise
            self._put_off(str(error))
            return
        self._room_s = math.inf
        if self._applier.owes:
            self._put_off("HAProxy's file cannot be written")
        if snapshot is not None and self._pace.due_s == math.inf:
            # Only now may another docker-discover leave for us: a reload that is still due brings its listeners.
            self._health.good("catalog")
        if snapshot is None:
            self._pace = (
                Pace()
            )  # HAProxy was started with nothing: the catalog is not made to wait for that

    def _put_off(self, why: str) -> None:
        """Go on with what needs no file, and try the rest again soon."""
        self._room_s = time.monotonic() + CAP_S
        self._health.bad("haproxy", why)

    def _sweep(self) -> None:
        if self._running is not None:
            with contextlib.suppress(Rejected):  # what runs now was accepted before: it goes on
                self._reload(
                    self._running.rendered, "servers that rest in maintenance are swept out"
                )

    def _reconciled(self, snapshot: Snapshot) -> Mapping[str, Problem]:
        self._proxies.look(self._running.rendered.sections if self._running else {})
        self._remember_earlier()
        policy, listening = self._sources.policy(), Listening(self._proxies.holders, self._binds())
        built, problems = build(snapshot, policy, self._known, listening)
        new = with_empty_services(built, self._empty_services.listeners()).binds - listening.binds
        leaving = built.only_draining(new)
        self._tried_s = time.monotonic()
        with trial(new - leaving) as taken:
            self._unusable = {
                **taken,
                **dict.fromkeys(leaving, "its only instances are on their way out"),
            }
            if self._unusable:
                policy = replace(policy, unusable=self._unusable)
                built, problems = build(snapshot, policy, self._known, listening)
            self._empty_services.update(
                under_own_names(self.config) if self.config else None, built, time.monotonic()
            )
            given = Given(self._sources.snippets(), self._good(), self._proxies.names)
            laid_out = self._say(
                self._fitting.lay_out(given, lambda layout: self._apply(built, layout))
            )
            lacking = missing_door(
                built.process.door, self._running.rendered.routes if self._running else {}
            )
            return {**problems, **laid_out, **lacking}

    def _remember_earlier(self) -> None:
        """Take what an earlier life listened on, as far as HAProxy still does, for services that are empty now."""
        if self._earlier is not None and self.config is None and self._running is not None:
            self._ran = tuple(each for each in self._earlier if each.name in self._proxies.names)
            self._empty_services.recall(
                self._ran, time.monotonic(), self._sources.listeners_file.load_empty()
            )
        self._earlier = None

    def _binds(self) -> frozenset[Bind]:
        """Return the addresses that HAProxy listens on already: a trial would only find HAProxy itself."""
        return self.config.binds if self.config and self._running else frozenset()

    def _good(self) -> Mapping[str, Listener]:
        """Return the listeners that HAProxy accepted last, also in an earlier life."""
        return {
            each.name: each
            for each in (under_own_names(self.config).listeners if self.config else self._ran)
        }

    def _say(self, problems: Mapping[str, Problem]) -> Mapping[str, Problem]:
        for what in ("template", "configuration"):
            if what in problems:
                self._health.bad(what, problems[what].text)
            else:
                self._health.good(what)
        return problems

    def _empty(self) -> Sequence[Listener]:
        """Return the listeners of services without instances, as far as they can be listened on."""
        usable = (
            (each, tuple(b for b in each.binds if b not in self._unusable))
            for each in self._empty_services.listeners()
        )
        return [replace(each, binds=binds) for each, binds in usable if binds or each.routes]

    def _apply(self, built: ProxyConfig, layout: Layout) -> None:
        self._fitting.prove(layout, built)
        config = in_spare_backends(
            self._fitting.fit(layout, with_empty_services(built, self._empty())), self.config
        )
        if why := self._beyond_runtime(config, layout.render(config)):
            if self.config is not None:
                # At once, and before the reload: workers that it makes old hear of no change any more.
                kept = keeping_structure(self.config, config)
                self._beyond_runtime(kept, layout.render(kept))
            now_s = time.monotonic()
            self._pace.wanted(why, now_s)
            if now_s < self._pace.due_s:
                return
            self._pace.dropped()  # also if HAProxy refuses it: the same text would only be refused again
            self._empty_services.forget(time.monotonic())
            fitted = self._fitting.fit(layout, with_empty_services(built, self._empty()))
            self._with_reload(with_spare_backends(fitted), layout)
        self._pace.dropped()
        self._sources.templates.accept(layout)
        self._health.good("haproxy")

    def _beyond_runtime(self, config: ProxyConfig, wanted: Rendered) -> str:
        """Do what takes no reload; return why that is not all, or nothing if it is."""
        running = self._running
        step = step_to(wanted, running.rendered if running else None)
        if isinstance(step, Reload) or running is None:
            return step.why if isinstance(step, Reload) else "nothing known is running"
        if isinstance(step, RuntimeUpdate):
            try:
                self._running = self._applier.update(running, wanted, step.changes)
            except Mismatch as why:
                log.warning("a change at runtime failed, reloading instead: %s", why)
                return f"a change at runtime failed: {why}"
            log.info("updated %s", Details(changes=step.why))
        self._runs(config)
        return ""

    def _runs(self, config: ProxyConfig) -> None:
        self.config = config
        self._stubs.update(config)

    def _with_reload(self, config: ProxyConfig, layout: Layout) -> None:
        wanted = layout.render(config)
        step = step_to(wanted, self._running.rendered if self._running else None)
        self._reload(wanted, step.why if not isinstance(step, Noop) else "to be sure")
        self._runs(config)
        self._sources.listeners_file.save(without_spares(config.listeners))

    def _reload(self, wanted: Rendered, why: str) -> None:
        refused, reason, at_s = self._refused
        if wanted.text == refused and time.monotonic() < at_s + AGAIN_S:
            raise Rejected(reason)  # unchanged: HAProxy would only say it again
        started, calls = time.monotonic(), self._stubs.counted()
        try:
            self._running = self._applier.reload(self._running, wanted)
        except Rejected as error:
            self._refused = (wanted.text, str(error), time.monotonic())
            raise
        ended = time.monotonic()
        self._stubs.carry(calls)
        self._pace.done(ended)
        took_ms = round((ended - started) * 1000)
        log.info("reloaded %s", Details(why=why, took_ms=took_ms))
