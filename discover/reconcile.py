"""Make HAProxy run what the catalog says: build, render, plan, apply. The owner of what is running."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.errors import Rejected
from discover.addresses import trial
from discover.apply import Applier
from discover.files import read
from discover.model import Bind, Policy, ProxyConfig, because, build
from discover.plan import Noop, Version, plan
from discover.render import Layout, Rendered
from discover.snapshot import EMPTY, Snapshot
from sidecar.actors import Actor
from sidecar.health import Health
from sidecar.log import Details
from sidecar.problems import Problem, Problems
from sidecar.retry import keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

SPACING_S = 1.0  # the first change acts at once, those that follow share the next reload
AGAIN_S = 30.0  # a port that another program holds is tried again after this


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a round looks; each is read when the round begins, whatever woke it."""

    snapshot: Callable[[], Snapshot | None]
    policy: Callable[[], Policy]
    template: Path
    good_template: Path  # a copy of the last one that HAProxy accepted


class Reconcile:
    """The actor that alone changes HAProxy and its files."""

    def __init__(
        self, sources: Sources, applier: Applier, trigger: Trigger, *, problems: Problems, health: Health
    ) -> None:
        self.config: ProxyConfig | None = None  # what runs, for whoever asks
        self._sources = sources
        self._applier = applier
        self._trigger = trigger
        self._problems = problems
        self._health = health
        self._stop: threading.Event = applier.stop
        self._layout: Layout | None = None
        self._running: Version | None = None
        self._refused: tuple[str, str] = ("", "")  # the text that HAProxy refused last, and why
        self._unusable: Mapping[Bind, str] = {}
        self._reloaded_at = -SPACING_S
        health.expect("haproxy", "template")

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
            cap_s=AGAIN_S,
            on_lost=lambda why: self._health.bad("haproxy", why),
        )

    def _session(self) -> None:
        """Go round at every wake-up, first at once, with what runs unknown; Unavailable ends it."""
        self._running = None
        reasons: tuple[str, ...] = ("start",)
        while not self._stop.is_set():
            self._stop.wait(self._reloaded_at + SPACING_S - time.monotonic())
            reasons += self._trigger.wait(0)
            self._health.turned("reconcile")
            self._round(reasons)
            reasons = self._trigger.wait(AGAIN_S if self._unusable else None)

    def _round(self, reasons: tuple[str, ...]) -> None:
        if self._running is None or "haproxy" in reasons:
            self._running = self._applier.running(self._running)
        snapshot = self._sources.snapshot()
        if snapshot is None and self._running is not None:
            # Nothing is known of the catalog yet: what HAProxy runs is better than an empty configuration.
            self._health.good("haproxy")
            return
        self._problems.update(self._reconciled(snapshot or EMPTY))

    def _reconciled(self, snapshot: Snapshot) -> Mapping[str, Problem]:
        policy = self._sources.policy()
        config, problems = build(snapshot, policy)
        with trial(config.binds - self._held()) as self._unusable:
            if self._unusable:
                config, problems = build(snapshot, replace(policy, unusable=self._unusable))
            return {**problems, **self._lay_out(config)}

    def _held(self) -> frozenset[Bind]:
        """Return the addresses that HAProxy listens on already: a trial would only find HAProxy itself."""
        return self._running.config.binds if self._running and self._running.config else frozenset()

    def _lay_out(self, config: ProxyConfig) -> Mapping[str, Problem]:
        """Apply a configuration by the newest template that works; return why a newer one does not."""
        problem: Mapping[str, Problem] = {}
        for layout in self._layouts():
            try:
                if isinstance(layout, Rejected):
                    raise layout
                self._apply(config, layout)
            except Rejected as error:
                problem = problem or {"template": because("TEMPLATE_REFUSED", str(error))}
            else:
                break
        if problem:
            self._health.bad("template", problem["template"].text)
        else:
            self._health.good("template")
        return problem

    def _layouts(self) -> Iterator[Layout | Rejected]:
        """Return the templates to try: as edited, the one in use, the last good one of an earlier life."""
        path, good = self._sources.template, self._sources.good_template
        yield self._compiled(path, Rejected(f"template {path}: no such file"))
        if self._layout is not None:
            yield self._layout
        else:
            yield self._compiled(good, Rejected("there is no earlier good template to fall back on"))

    def _compiled(self, path: Path, missing: Rejected) -> Layout | Rejected:
        text = read(path)
        if text is None:
            return missing
        if self._layout is not None and self._layout.text == text:
            return self._layout
        try:
            return Layout(text, path.name)
        except Rejected as error:
            return error

    def _apply(self, config: ProxyConfig, layout: Layout) -> None:
        rendered = layout.render(config)
        wanted = Version(rendered.text, config)
        step = plan(self._running, wanted)
        if not isinstance(step, Noop):
            self._reload(rendered, step.why)
        self._running = wanted
        self.config = config
        if layout is not self._layout:
            self._layout = layout
            self._applier.keep_template(self._sources.good_template, layout.text)
        self._health.good("haproxy")

    def _reload(self, rendered: Rendered, why: str) -> None:
        refused, reason = self._refused
        if rendered.text == refused:
            raise Rejected(reason)  # unchanged: HAProxy would only say it again
        started = time.monotonic()
        try:
            self._applier.replace(rendered)
        except Rejected as error:
            self._refused = (rendered.text, str(error))
            raise
        self._reloaded_at = time.monotonic()
        took_ms = round((self._reloaded_at - started) * 1000)
        log.info("reloaded %s", Details(why=why, marker=rendered.marker, took_ms=took_ms))
