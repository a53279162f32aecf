"""What docker-discover did to HAProxy -> lines, and for each change how it came there. No I/O."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from catalog.asking.journal import NOTHING, RELOAD, RUNTIME, Line
from discover.apply.rollout import Deed, Round
from discover.model.proxy_config import ProxyConfig
from sidecar.status.problems import Problem

# What wakes a round, as people call it.
_CAUSES = {
    "start": "docker-discover started",
    "haproxy": "HAProxy started",
    "template": "template or snippet",
    "evidence": "suspects",
    "holds": "ports and names",
    "claims": "ports and names",
    "time": "a wait was over",
}
_OF_INSTANCE = re.compile(r"/instances/([^/]+)/")
_OF_SERVICE = re.compile(r"^(?:service )?([a-z0-9][a-z0-9.-]*)(?:[:/ ]|$)")
WAITING_MAX = 5000  # lines that HAProxy has not got yet


@dataclass(frozen=True, slots=True)
class Told:
    """A round, and what was true when it ended."""

    round: Round
    revision: int  # of the catalog
    stubbed: Set[str]  # services that only stubs answer
    config: ProxyConfig | None  # that HAProxy runs
    refused: Mapping[str, Problem]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line that HAProxy has not got yet: its place in the journal, and when it was heard of."""

    id: int
    line: Line
    heard_s: float


@dataclass(frozen=True, slots=True)
class Applied:
    """How a line came to HAProxy, and how long that took."""

    id: int
    how: str
    took_ms: int


@dataclass(slots=True)
class ProxyStory:
    """Tells what HAProxy was made to run. For one thread."""

    waiting: list[Waiting] = field(default_factory=list)
    _deeds: list[Deed] = field(default_factory=list)  # since HAProxy had all of a revision
    _reasons: dict[str, None] = field(default_factory=dict)  # the same; a set that keeps its order
    _stubbed: Set[str] = frozenset()
    _refused: Mapping[str, Problem] = field(default_factory=dict)

    def wait_for(self, line: Line, heard_s: float) -> None:
        """Note a line that stands in the journal, until HAProxy has it."""
        if not line.how and len(self.waiting) < WAITING_MAX:
            self.waiting.append(Waiting(line.id, line, heard_s))

    def applied(self, told: Told, now_s: float) -> list[Applied]:
        """Return what of the lines that wait HAProxy has now."""
        done = told.round
        self._deeds += done.deeds
        self._reasons |= dict.fromkeys(done.reasons)

        reached = done.applied or 0
        arrived = [it for it in self.waiting if it.line.revision <= reached]
        self.waiting = [it for it in self.waiting if it.line.revision > reached]
        return [self._applied(it, now_s) for it in arrived]

    def _applied(self, it: Waiting, now_s: float) -> Applied:
        how, ended_s = NOTHING, now_s
        for deed in self._deeds:
            if deed.refused or deed.ended_s < it.heard_s:
                continue
            how, ended_s = (RELOAD if deed.is_reload else RUNTIME), deed.ended_s
            if not deed.is_reload and _is_in(deed, it.line.instance):
                break
        return Applied(it.id, how, max(1, round((ended_s - it.heard_s) * 1000)))

    def lines(self, told: Told, at_ms: int, *, are_explained: bool) -> list[Line]:
        """Return what of a round is no change of the catalog.

        `are_explained`: the round's deeds are what lines of the catalog led to.
        """
        lines = [*self._of_deeds(told, are_explained), *self._of_stubs(told)]
        lines += self._of_refusals(told)
        if told.round.applied == told.revision:
            self._deeds, self._reasons = [], {}
        self._stubbed, self._refused = told.stubbed, told.refused
        return [replace(line, at_ms=at_ms) for line in lines]

    def _of_deeds(self, told: Told, are_explained: bool) -> Iterator[Line]:
        cause = ", ".join(dict.fromkeys(_CAUSES.get(it, it) for it in self._reasons))
        for deed in told.round.deeds:
            if not deed.is_reload and are_explained:
                continue
            text = f"refused: {deed.refused}" if deed.refused else deed.why
            yield _line(
                told,
                RELOAD if deed.is_reload else "update",
                cause=cause,
                detail=text,
                how="" if deed.refused else RELOAD if deed.is_reload else RUNTIME,
                took_ms=max(1, round(deed.took_s * 1000)),
            )

    def _of_stubs(self, told: Told) -> Iterator[Line]:
        for service in sorted(told.stubbed - self._stubbed):
            cause = "no real instance is there"
            yield _line(told, "stub", service=service, cause=cause, how=NOTHING)
        ended = self._stubbed - told.stubbed
        for service in sorted(ended & _called(told.config) if ended else ended):
            yield _line(told, "real", service=service, cause="a real instance came", how=NOTHING)

    def _of_refusals(self, told: Told) -> Iterator[Line]:
        for where, problem in told.refused.items():
            if not problem.quiet and self._refused.get(where) != problem:
                yield _refusal(told, "refused", where, problem)
        for where, problem in self._refused.items():
            if not problem.quiet and where not in told.refused:
                yield _refusal(told, "allowed", where, problem)


def _called(config: ProxyConfig | None) -> Set[str]:
    """Return the services that any instance answers."""
    listeners = config.listeners if config else ()
    return {listener.service for listener in listeners if listener.servers}


def _is_in(deed: Deed, instance: str) -> bool:
    return any(change.instance == instance for change in deed.changes)


def _refusal(told: Told, what: str, where: str, problem: Problem) -> Line:
    found = _OF_INSTANCE.search(where) or _OF_SERVICE.match(where)
    service = found[1] if found else ""
    detail = problem.text if what == "refused" else where
    return _line(
        told, what, service=service, cause=problem.code, detail=f"{detail:.300}", how=NOTHING
    )


def _line(told: Told, what: str, **texts: str | int) -> Line:
    return Line(
        what=what,
        revision=told.revision,
        at_ms=0,
        own=1,
        **texts,  # type: ignore[arg-type]
    )
