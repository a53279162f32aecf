"""Yield what HAProxy may be asked to run, best first: the newest template, and all as wanted.

A candidate that HAProxy refuses is answered by the next: if single listeners are to blame, those
are held alone (quarantine.py), else it is an older template's turn. HAProxy mostly names the lines
that it refuses; where it does not, it is asked about halves of what changed.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from catalog.errors import Rejected
from discover.apply.quarantine import Quarantine, culprit
from discover.haproxy.process import Refusal
from discover.intercepts.slots import with_slots
from discover.model.proxy_config import Listener, ProxyConfig
from discover.model.spare_backends import in_spare_backends, with_spare_backends
from discover.operator.snippets import Inserted, Snippets
from discover.operator.templates import Templates
from discover.reasons import because
from discover.text.blame import Blame, blamed
from discover.text.environment import LayoutRefused
from discover.text.render import Layout, Rendered
from discover.text.sample import sample
from discover.text.sections import Section
from sidecar.status.problems import Problem

log = logging.getLogger(__name__)

SEARCH_S = 20.0  # for all searches of a round: a check of 10,000 services takes a second or two
AGAIN_S = 30.0  # a refusal that is nobody's is not looked into again before

Check = Callable[[Rendered], object]  # raises Rejected for a text that HAProxy refuses
Listeners = Mapping[str, Listener]  # by name


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a round wants HAProxy to run, and what it falls back on."""

    services: ProxyConfig  # by the services' own names, empty services with them
    snippets: Snippets
    running: ProxyConfig | None  # what it runs now
    sections: Mapping[str, Section]  # the same as text; none if that is not known
    proxies: Set[str]  # the names of all proxies that HAProxy runs
    good: Listeners  # the listeners that HAProxy accepted last


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished text that may be tried."""

    layout: Layout
    services: ProxyConfig  # what is laid out, by the services' own names
    config: ProxyConfig  # the same, services that only the door leads to in spare backends
    rendered: Rendered

    def for_reload(self, running: Mapping[str, Section]) -> "Candidate":
        """Return the form for a reload: each service by its own name, new spares, a slot for each.

        `running` is the sections that run.
        """
        config = with_slots(with_spare_backends(self.services), self.config, anew=True)
        if config == self.config and not self.rendered.uneven:
            return self

        rendered = self.layout.render(config, running, anew=True)
        return replace(self, config=config, rendered=rendered)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The services with the operator's snippets: as wanted, and with those held that are."""

    wanted: ProxyConfig
    services: ProxyConfig


class _SearchTimedOut(Exception):
    """There is no time left to ask HAProxy which listener it refuses."""


class _CulpritSearch:
    """Asks HAProxy about halves of what changed, if it does not say what it refuses."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._until_s = -math.inf
        self._hopeless_s = -math.inf  # when a refusal was nobody's

    def begin_round(self) -> None:
        """Give the searches of a round their time."""
        self._until_s = time.monotonic() + SEARCH_S

    @property
    def has_time(self) -> bool:
        """Whether this round may go on with it."""
        return time.monotonic() <= self._until_s

    def culprit(self, layout: Layout, services: ProxyConfig, good: Listeners) -> str | None:
        """Return one changed listener that is refused whatever the others are, or None."""
        if time.monotonic() < self._hopeless_s + AGAIN_S:
            return None

        listeners = services.listeners
        changed = {listener.name for listener in listeners if good.get(listener.name) != listener}

        def refused(names: frozenset[str]) -> bool:
            return self._is_refused(layout, _with_good(services, good, changed - names))

        try:
            if changed and not refused(frozenset()):
                return culprit(sorted(changed), refused)
        except _SearchTimedOut:
            log.warning(
                "did not find within %g s which of %d services HAProxy refuses",
                SEARCH_S,
                len(changed),
            )

        self._hopeless_s = time.monotonic()
        return None

    def _is_refused(self, layout: Layout, services: ProxyConfig) -> bool:
        if not self.has_time:
            raise _SearchTimedOut

        try:
            self._check(layout.render(services))
        except Rejected:
            return True
        return False


def _with_good(services: ProxyConfig, good: Listeners, names: Set[str]) -> ProxyConfig:
    """Return the services with some listeners in their last good form, or left out."""
    forms = (
        good.get(listener.name) if listener.name in names else listener
        for listener in services.listeners
    )
    return replace(services, listeners=tuple(form for form in forms if form is not None))


class Candidates:
    """What may be tried, and which services HAProxy refused, by template.

    Used by the reconcile actor alone.
    """

    def __init__(self, templates: Templates, check: Check) -> None:
        self.problems: dict[str, Problem] = {}  # of the last round, by what they are about
        self._templates = templates
        self._check = check
        self._search = _CulpritSearch(check)
        self._inserted = Inserted()
        self._quarantines: dict[Layout, Quarantine] = {}
        self._tried: dict[Layout, Quarantine] = {}
        self._refusal: Rejected | None = None  # of the candidate that was yielded last
        self._proven: Layout | None = None
        self._wanted: Wanted
        self._fitted: _Fitted

    def each(self, wanted: Wanted) -> Iterator[Candidate]:
        """Yield what to try in a round, best first.

        After each the caller calls `accepted` and stops, or `refused` and asks for the next.
        """
        self._wanted = wanted
        self._search.begin_round()
        self._tried = {}
        self.problems = {}

        for layout in self._templates.candidates():
            if isinstance(layout, Rejected):
                self._blame_as_a_whole(layout, layout)
            else:
                self._tried[layout] = self._quarantines.setdefault(layout, Quarantine())
                yield from self._by(layout)

        self._quarantines = self._tried

    def refused(self, error: Rejected) -> None:
        """Take why HAProxy refused the candidate that was yielded last."""
        self._refusal = error

    def accepted(self, candidate: Candidate) -> None:
        """End a round: HAProxy runs the candidate, or shall once a reload is due."""
        self.problems.update(self._tried[candidate.layout].problems)
        self._quarantines = self._tried

    def again(self, candidate: Candidate, services: ProxyConfig) -> Candidate:
        """Return a candidate of the same template for other services. Raises Rejected."""
        self._wanted = replace(self._wanted, services=services)
        return self._candidate(candidate.layout)

    def _by(self, layout: Layout) -> Iterator[Candidate]:
        """Yield candidates of one template, each with more listeners held than the last."""
        while True:
            self._refusal = None
            try:
                self._prove(layout)
                candidate = self._candidate(layout)
            except Rejected as error:
                self._refusal = error
            else:
                yield candidate

            refusal = self._refusal
            if refusal is None:
                return  # the caller did not say `refused`: there is nothing else to try
            if not self._holds_another(layout, refusal):
                self._blame_as_a_whole(layout, refusal)
                return

    def _candidate(self, layout: Layout) -> Candidate:
        self._fitted = self._fit(layout)
        services = self._fitted.services
        running = self._wanted.running
        config = with_slots(in_spare_backends(services, running), running)
        rendered = layout.render(config, self._wanted.sections)
        return Candidate(layout, services, config, rendered)

    def _prove(self, layout: Layout) -> None:
        """Try an edited template on listeners of all kinds: refuse it now, not weeks later."""
        if self._templates.is_used(layout) or layout is self._proven:
            return

        all_kinds = sample(self._wanted.services.process)
        try:
            self._check(layout.render(all_kinds))
        except Rejected as error:
            why = Rejected(str(error))  # about no listener: those of the sample are nobody's
            self._templates.refuse(layout, why)
            raise why from error

        self._proven = layout

    def _fit(self, layout: Layout) -> _Fitted:
        """Return the services with the operator's snippets; those with a bad snippet are held.

        Raises Rejected.
        """
        quarantine = self._quarantines[layout]
        wanted, refused = self._inserted.into(self._wanted.services, self._wanted.snippets)
        quarantine.let_go(wanted)

        to_hold = [
            listener
            for listener in wanted.listeners
            if listener.name in refused and listener.name not in quarantine.names
        ]
        for listener in to_hold:
            why = refused[listener.name]
            if not self._hold(quarantine, listener, Blame(why, exact=True)):
                raise Rejected(why)

        return _Fitted(wanted, quarantine.laid_out(wanted))

    def _blame_as_a_whole(self, layout: Layout | Rejected, error: Rejected) -> None:
        """Note that an edited template is to blame, or what the one in use had to lay out."""
        if self.problems:
            return  # the best candidate's problem is the one to solve

        if isinstance(layout, Layout) and self._templates.is_used(layout):
            self.problems["configuration"] = because("CONFIGURATION_REFUSED", str(error))
        else:
            self.problems["template"] = because("TEMPLATE_REFUSED", str(error))

    def _holds_another(self, layout: Layout, error: Rejected) -> bool:
        """Hold the listeners that a refusal is about; return False if none could be held."""
        if not isinstance(error, Refusal | LayoutRefused) or not self._search.has_time:
            return False

        quarantine = self._quarantines[layout]
        wanted = {listener.name: listener for listener in self._fitted.wanted.listeners}
        blames = self._blames(layout, error)

        is_edited = not self._templates.is_used(layout)
        fails_for_all = wanted.keys() <= blames.keys() | quarantine.names
        if is_edited and len(wanted) > 1 and fails_for_all:
            return False

        held = [
            self._hold(quarantine, wanted[name], blame)
            for name, blame in blames.items()
            if name in wanted
        ]
        return any(held)

    def _hold(self, quarantine: Quarantine, wanted: Listener, blame: Blame) -> bool:
        good = self._wanted.good.get(wanted.name)
        if good is None and wanted.name in self._wanted.proxies:
            # It runs, and nobody knows from what: better that nothing changes than that it goes.
            return False
        return quarantine.hold(wanted, good, blame)

    def _blames(self, layout: Layout, error: Refusal | LayoutRefused) -> Mapping[str, Blame]:
        """Return the listeners to blame, by what a refusal says or by asking HAProxy."""
        if isinstance(error, LayoutRefused):
            found = {name: Blame(why, exact=False) for name, why in error.why.items()}
        else:
            tried = self._fitted.services.listeners
            found = dict(blamed(error.alerts, error.file, error.text, tried))

        wanted = {listener.name for listener in self._fitted.wanted.listeners}
        if found.keys() & wanted:
            return found

        # None is named, or only a spare backend that a service has taken.
        name = self._search.culprit(layout, self._fitted.services, self._wanted.good)
        return {name: Blame(str(error), exact=False)} if name else {}
