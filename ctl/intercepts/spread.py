"""Where an intercept counts by now: the hosts whose HAProxy does it, and all others by name."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from catalog.asking.ask import INTERCEPTS, Ask
from catalog.keys import OverrideKey
from ctl.asking import Asking, Heard


@dataclass(slots=True)
class Spread:
    """The hosts that were asked about one intercept."""

    applied: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    too_old: frozenset[str] = frozenset()

    def complaints(self, within_s: float) -> Iterator[str]:
        """Yield a line for each kind of host that does not do it."""
        for host, why in sorted(self.refused.items()):
            yield f"not on {host}: {why}"
        if self.silent:
            yield f"not yet on {', '.join(sorted(self.silent))}: silent for {within_s:g} s"
        if self.too_old:
            yield f"not on {', '.join(sorted(self.too_old))}: too old for intercepts"


def spread_of(asking: Asking, key: OverrideKey, hosts: Iterable[str], within_s: float) -> Spread:
    """Ask until every host has applied all that was written before. Raises Unavailable."""
    asked = Ask(INTERCEPTS, key.service, tuple(hosts), by="tandem intercept")
    found = Spread()
    heard_all = asking.ask(
        asked,
        within_s,
        sides=("discover",),
        enough=lambda heard: _is_current(heard, asking.revision),
    )
    for heard in heard_all:
        if not _is_current(heard, asking.revision):
            continue
        why = _why_not(heard.answer.rows, key)
        if why is None:
            found.applied.add(heard.host)
        else:
            found.refused[heard.host] = why

    found.silent = frozenset(host for host, _side in asking.silent)
    found.too_old = frozenset(host for host, _side in asking.unable)
    return found


def _is_current(heard: Heard, revision: int) -> bool:
    """Whether an answer is of a HAProxy that has all that was written before the question."""
    applied = heard.answer.facts.get("revision")
    return heard.answer.status != "answer" or (isinstance(applied, int) and applied >= revision)


def _why_not(rows: Iterable[Mapping[str, object]], key: OverrideKey) -> str | None:
    """Return why a host does not do it; None if it does."""
    its = [row for row in rows if (row.get("service"), row.get("id")) == (key.service, key.id)]
    if not its:
        return "its HAProxy does not know of it"
    return next((str(row["why"]) for row in its if row.get("why")), None)
