"""A moment -> the revision of etcd then, and what etcd had at that revision, if it still knows."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.asking.ask import Ask
from catalog.asking.journal import JOURNAL
from catalog.entries import Entry
from catalog.errors import Compacted
from ctl.asking import Asking
from ctl.past.journals import WITHIN_S
from ctl.past.since import Moment


@dataclass(frozen=True, slots=True)
class Past:
    """What etcd had at a revision. No entries: etcd has forgotten it, and `why` says so."""

    revision: int
    entries: Sequence[Entry] | None
    why: str = ""


def revision_of(asking: Asking, moment: Moment) -> int | None:
    """Return the revision at a moment, by the journals; None if all of them begin later.

    Raises Unavailable.
    """
    if moment.revision:
        return moment.revision

    asked = Ask(JOURNAL, by="tandem", arguments={"ago_s": str(moment.ago_s), "limit": "1"})
    heard = asking.ask(asked, WITHIN_S, sides=("discover",))
    found = [it.answer.facts.get("revision_then") for it in heard]
    return max((it for it in found if isinstance(it, int) and it), default=None)


def past_at(asking: Asking, revision: int) -> Past:
    """Return what etcd had at a revision: all hosts' keys. Raises Unavailable."""
    try:
        return Past(revision, asking.entries_at(revision))
    except Compacted:
        return Past(revision, None, f"etcd has forgotten revision {revision}: it was compacted")
