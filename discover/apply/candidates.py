"""Find what HAProxy takes: the newest template that works, and every listener in it but those that are refused.

A refusal that is about single listeners holds those alone (quarantine.py). HAProxy mostly names the lines; where it
does not, it is asked about halves of what changed.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from discover.apply.applier import Applier
from discover.apply.quarantine import Quarantine, culprit
from discover.haproxy.process import Refusal
from discover.model.config import Listener, ProxyConfig
from discover.operator.snippets import Inserted, Snippets
from discover.operator.templates import Templates
from discover.reasons import because
from discover.text.blame import Blame, blamed
from discover.text.environment import LayoutRefused
from discover.text.render import Layout
from discover.text.sample import sample
from sidecar.status.problems import Problem

log = logging.getLogger(__name__)

SEARCH_S = 20.0  # for all questions of a round about who is refused: a check of 10,000 services takes a second or two
AGAIN_S = 30.0  # a refusal that is nobody's is not looked into again before


@dataclass(frozen=True, slots=True)
class Given:
    """What a round has besides the catalog: snippets, what runs, and the names of all proxies that do."""

    snippets: Snippets
    good: Mapping[str, Listener]
    proxies: Set[str]


class _Over(Exception):
    """The time for questions is over."""


class Fitting:
    """Whom HAProxy refused, by template. Used by the reconcile actor alone."""

    def __init__(self, templates: Templates, applier: Applier) -> None:
        self._templates = templates
        self._applier = applier
        self._inserted = Inserted()
        self._given = Given({}, {}, frozenset())
        self._quarantines: dict[Layout, Quarantine] = {}
        self._wanted: ProxyConfig | None = None  # what shall be, if nobody is held
        self._proven: Layout | None = None
        self._until_s = self._hopeless_s = -math.inf

    def lay_out(self, given: Given, apply: Callable[[Layout], None]) -> Mapping[str, Problem]:
        """Apply the newest template that works; return why a newer one does not, and who is held."""
        self._given, self._until_s = given, time.monotonic() + SEARCH_S
        problems: dict[str, Problem] = {}
        tried: dict[Layout, Quarantine] = {}
        for layout in self._templates.candidates():
            try:
                if isinstance(layout, Rejected):
                    raise layout
                tried[layout] = self._quarantines.setdefault(layout, Quarantine())
                self._isolating(layout, apply)
            except Rejected as error:
                if not problems:
                    problems.update(self._why(layout, error))
            else:
                problems.update(tried[layout].problems)
                break
        self._quarantines = tried
        return problems

    def fit(self, layout: Layout, config: ProxyConfig) -> ProxyConfig:
        """Return a configuration with the operator's snippets, and those that are refused as they can be.

        Raises Rejected.
        """
        quarantine = self._quarantines[layout]
        self._wanted, refused = self._inserted.into(config, self._given.snippets)
        fitted = quarantine.laid_out(self._wanted)
        new = [
            each
            for each in self._wanted.listeners
            if each.name in refused and each.name not in quarantine.names
        ]
        for listener in new:
            if not self._hold(quarantine, listener, Blame(refused[listener.name], exact=True)):
                raise Rejected(refused[listener.name])
        return quarantine.laid_out(self._wanted) if new else fitted

    def prove(self, layout: Layout, config: ProxyConfig) -> None:
        """Try an edited template on all that may be asked for: it is refused when it is edited, not weeks later."""
        if self._templates.is_used(layout) or layout is self._proven:
            return
        try:
            self._applier.check(layout.render(sample(config.process)))
        except Rejected as error:
            self._templates.refuse(layout, why := Rejected(str(error)))  # nobody's in particular
            raise why from error
        self._proven = layout

    def _why(self, layout: Layout | Rejected, error: Rejected) -> Mapping[str, Problem]:
        """Return what is to blame: an edited template, or what the one in use was given to lay out."""
        if isinstance(layout, Layout) and self._templates.is_used(layout):
            return {"configuration": because("CONFIGURATION_REFUSED", str(error))}
        return {"template": because("TEMPLATE_REFUSED", str(error))}

    def _isolating(self, layout: Layout, apply: Callable[[Layout], None]) -> None:
        while True:
            try:
                return apply(layout)
            except (Refusal, LayoutRefused) as error:
                # Each turn holds somebody one step further back; HAProxy names up to fifty at once.
                if time.monotonic() > self._until_s or not self._isolated(layout, error):
                    raise

    def _isolated(self, layout: Layout, error: Refusal | LayoutRefused) -> bool:
        """Hold those whom a refusal is about; False if it is not about any that could be held."""
        if self._wanted is None:
            return False
        quarantine = self._quarantines[layout]
        tried = quarantine.laid_out(self._wanted)
        if isinstance(error, LayoutRefused):
            found = {name: Blame(why, exact=False) for name, why in error.why.items()}
        else:
            found = dict(blamed(error.alerts, error.file, error.text, tried.listeners))
        wanted = {listener.name: listener for listener in self._wanted.listeners}
        if (
            not found.keys() & wanted.keys()
        ):  # nobody is named, or a backend that somebody has taken
            found = self._searched(layout, tried, error)
        if (
            not self._templates.is_used(layout)
            and len(wanted) > 1
            and wanted.keys() <= found.keys() | quarantine.names
        ):
            return False  # an edited template that fails for all
        held = [
            self._hold(quarantine, wanted[name], blame)
            for name, blame in found.items()
            if name in wanted
        ]
        return any(held)

    def _hold(self, quarantine: Quarantine, wanted: Listener, blame: Blame) -> bool:
        good = self._given.good.get(wanted.name)
        if good is None and wanted.name in self._given.proxies:
            return (
                False  # it runs, and nobody knows from what: better none changes than that it goes
            )
        return quarantine.hold(wanted, good, blame)

    def _searched(self, layout: Layout, tried: ProxyConfig, error: Rejected) -> dict[str, Blame]:
        """Return one of those who changed that is refused whatever the others are; nothing if it is none of them."""
        if time.monotonic() < self._hopeless_s + AGAIN_S:
            return {}
        good = self._given.good
        suspects = {each.name for each in tried.listeners if good.get(each.name) != each}

        def refused(names: frozenset[str]) -> bool:
            if time.monotonic() > self._until_s:
                raise _Over
            forms = (
                good.get(each.name) if each.name in suspects - names else each
                for each in tried.listeners
            )
            try:
                rendered = layout.render(
                    replace(tried, listeners=tuple(form for form in forms if form is not None))
                )
                self._applier.check(rendered)
            except Rejected:
                return True
            return False

        try:
            if suspects and not refused(frozenset()):
                return {culprit(sorted(suspects), refused): Blame(str(error), exact=False)}
        except _Over:
            log.warning(
                "not found out in %g s whom HAProxy refuses, among %d services",
                SEARCH_S,
                len(suspects),
            )
        self._hopeless_s = time.monotonic()
        return {}
