"""The lines of all hosts' journals -> changes, each once. No I/O.

What etcd has, all hosts tell with the same revision. What a host decides by itself, such as a
reload, is one change if hosts tell the same of it within a few seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.asking.journal import Line

TOGETHER_MS = 10_000  # clocks of hosts differ, and a reload waits for its turn
_OF_A_HOST = frozenset({"start", "gap"})  # what happens to each docker-discover by itself


@dataclass(frozen=True, slots=True)
class Told:
    """A line, and the host that tells it."""

    by: str
    line: Line


@dataclass(slots=True)
class Change:
    """One change, and what each host that knows of it says."""

    line: Line  # of the host that heard of it first
    told: dict[str, Line] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, int, int]:
        """What changes are sorted by: etcd's revision, then time."""
        return self.line.revision, self.line.own, self.line.at_ms

    def take(self, told: Told) -> None:
        """Take what one more host tells of it."""
        self.told[told.by] = told.line
        if told.line.at_ms < self.line.at_ms and not told.line.after:
            self.line = told.line


def merged(lines: Iterable[Told]) -> list[Change]:
    """Return the changes that these lines are of, in order."""
    every = list(lines)
    exact: dict[tuple[object, ...], Change] = {}
    for told in every:
        if not told.line.own and not told.line.after:
            key = (told.line.revision, *_subject(told.line))
            exact.setdefault(key, Change(told.line)).take(told)

    others = sorted(
        (told for told in every if told.line.own or told.line.after),
        key=lambda told: told.line.at_ms,
    )
    near = _Near(exact.values())
    for told in others:
        near.take(told)

    return sorted([*exact.values(), *near.changes], key=lambda change: change.order)


def _subject(line: Line) -> tuple[str, ...]:
    return line.what, line.service, line.instance, line.host


class _Near:
    """Changes whose lines say the same about the same time, or about the same revision."""

    def __init__(self, exact: Iterable[Change]) -> None:
        self.changes: list[Change] = []
        self._by_subject: dict[tuple[str, ...], list[Change]] = {}
        self._exact: dict[tuple[str, ...], list[Change]] = {}
        self._at_revision: dict[tuple[int, str, str, str], Change] = {}
        for change in exact:
            self._exact.setdefault(_subject(change.line), []).append(change)
            line = change.line
            at = line.revision, line.service, line.instance, line.host
            self._at_revision[at] = change

    def take(self, told: Told) -> None:
        line = told.line
        change = self._within(told) if line.after else None
        if change is None:
            key = (*_subject(line), line.cause, line.detail if line.own else "")
            if line.what in _OF_A_HOST:
                key = (*key, told.by)
            open_ = self._by_subject.setdefault(key, [])
            change = next((it for it in open_ if self._is_one(it, told)), None)
            if change is None:
                change = Change(line)
                open_.append(change)
                self.changes.append(change)
        change.take(told)

    def _within(self, told: Told) -> Change | None:
        """Return the change that a listing found, if another host saw when it happened."""
        line = told.line
        same = self._at_revision.get((line.revision, line.service, line.instance, line.host))
        if line.instance and same is not None and told.by not in same.told:
            return same
        for change in self._exact.get(_subject(line), ()):
            is_within = line.after < change.line.revision <= line.revision
            if is_within and told.by not in change.told:
                return change
        return None

    def _is_one(self, change: Change, told: Told) -> bool:
        is_near = told.line.at_ms - change.line.at_ms <= TOGETHER_MS
        return told.by not in change.told and is_near


def applied(change: Change) -> Mapping[str, object]:
    """Return how a change came to HAProxy, on how many hosts, and how long the slowest took."""
    lines = change.told.values()
    how = sorted({line.how for line in lines if line.how})
    slowest = max(change.told, key=lambda host: change.told[host].took_ms, default="")
    took_ms = change.told[slowest].took_ms if slowest else 0
    return {
        "how": " and ".join(how),
        "hosts": sorted(change.told),
        "waiting": sorted(host for host, line in change.told.items() if not line.how),
        "took_ms": took_ms or None,
        "slowest": slowest if took_ms and len(change.told) > 1 else None,
    }
