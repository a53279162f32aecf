"""Ask every host's journal, page by page, until there is enough."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from catalog.asking.ask import Ask
from catalog.asking.journal import JOURNAL, line_of
from catalog.errors import Rejected
from ctl.asking import Asking, Heard
from ctl.past.merge import Told

WITHIN_S = 3.0
PAGES_MAX = 300  # of one host; a journal of 50,000 lines has 250


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: since a revision or for so long, about names, of kinds; the newest first."""

    since: int = 0
    since_s: int = 0
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # whose journals; none: of all
    after: int = 0  # a place: only what came later
    limit: int = 100

    def ask(self, before: int = 0) -> Ask:
        """Return the question, for what stands before a place."""
        told = {
            "since": str(self.since),
            "since_s": str(self.since_s),
            "names": " ".join(self.names),
            "kinds": " ".join(self.kinds),
            "limit": str(self.limit),
            "before": str(before),
            "after": str(self.after),
        }
        given = {name: text for name, text in told.items() if text not in ("", "0")}
        return Ask(JOURNAL, hosts=self.hosts, by="tandem history", arguments=given)


@dataclass(slots=True)
class Journals:
    """What the journals say. `hosts` have answered; `failed` says why others did not."""

    lines: list[Told]
    hosts: set[str]
    failed: dict[str, str]
    silent: set[str]
    old: set[str]  # of an older version, which keeps none

    @property
    def of(self) -> int:
        """How many hosts tell."""
        return len(self.hosts)


def asked(asking: Asking, wanted: Wanted) -> Journals:
    """Return the newest lines of every host, as many of each as are wanted. Raises Unavailable."""
    found = Journals([], set(), {}, set(), set())
    heard = list(asking.ask(wanted.ask(), WITHIN_S, sides=("discover",)))
    found.silent = {host for host, _side in asking.silent}
    found.old = {host for host, _side in asking.unable}
    for each in heard:
        _take(asking, wanted, each, found)
    return found


def _take(asking: Asking, wanted: Wanted, heard: Heard, found: Journals) -> None:
    """Take a host's answer, and ask it for more until it has no more, or that is enough."""
    host, count = heard.host, 0
    for _ in range(PAGES_MAX):
        if heard.answer.status != "answer":
            found.failed[host] = heard.answer.text
            return

        found.hosts.add(host)
        lines = told_in(heard)
        found.lines += lines
        count += len(lines)
        is_all = not lines or (not heard.answer.left_out and not heard.answer.facts.get("more"))
        if count >= wanted.limit or is_all:
            return

        # Only this host, and only what stands before the oldest line that it told.
        more = replace(wanted, hosts=(host,), limit=wanted.limit - count)
        asked_ = more.ask(min(it.line.id for it in lines))
        answers = list(asking.ask(asked_, WITHIN_S, sides=("discover",)))
        if not answers:
            found.silent.add(host)
            return
        (heard,) = answers[-1:]


def told_in(heard: Heard) -> Sequence[Told]:
    """Return the lines in an answer; one that cannot be read is left out alone."""
    return tuple(_readable(heard))


def _readable(heard: Heard) -> Iterable[Told]:
    for row in heard.answer.rows:
        try:
            yield Told(heard.host, line_of(row))
        except Rejected:
            continue
