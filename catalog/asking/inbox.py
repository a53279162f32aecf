"""The questions that stand now, as a watch shows them. One thread fills it, another reads it."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from catalog.asking.ask import Ask, decode
from catalog.entries import Entry, Event
from catalog.errors import Rejected
from catalog.keys import AskKey, asks_root, parse_key

log = logging.getLogger(__name__)

# Whoever asks more has to wait; so a flood takes neither memory nor time.
STANDING_MAX = 256


@dataclass(frozen=True, slots=True)
class Standing:
    """A question that stands: its id, the asker's lease, and the revision at which it came."""

    id: str
    ask: Ask
    lease: int
    revision: int


class Inbox:
    """Keeps entries as they come, so that a watch loses no time; the reader has them decoded."""

    def __init__(self, prefix: str, wake: Callable[[], None]) -> None:
        self._prefix = prefix
        self._root = asks_root(prefix)
        self._wake = wake
        self._entries: dict[str, Entry] = {}
        self._decoded: dict[str, tuple[int, Standing | None]] = {}

    @property
    def is_asked(self) -> bool:
        """Whether there is any question."""
        return bool(self._entries)

    def listed(self, entries: Iterable[Entry]) -> None:
        """Take the questions of a listing in place of all others."""
        ours = [entry for entry in entries if self._is_question(entry)]
        is_new = bool(ours or self._entries)
        self._entries = {entry.key: entry for entry in ours[:STANDING_MAX]}
        if is_new:
            self._wake()

    def changed(self, events: Iterable[Event]) -> None:
        """Take what events say of questions, if anything."""
        entries, is_new = self._entries, False
        for event in events:
            if not event.key.startswith(self._root):
                continue
            if not is_new:
                entries, is_new = dict(entries), True

            if event.entry is None or not self._is_question(event.entry):
                entries.pop(event.key, None)
            elif len(entries) < STANDING_MAX or event.key in entries:
                entries[event.key] = event.entry

        if is_new:
            self._entries = entries
            self._wake()

    def _is_question(self, entry: Entry) -> bool:
        """Whether an entry is one; without a lease it would stand, and be answered, for good."""
        return entry.key.startswith(self._root) and bool(entry.lease)

    def standing(self) -> tuple[Standing, ...]:
        """Return all readable questions, the oldest first. For one thread."""
        entries = self._entries
        decoded = {}
        for key, entry in entries.items():
            known = self._decoded.get(key)
            is_known = known is not None and known[0] == entry.mod_revision
            decoded[key] = known if known and is_known else (entry.mod_revision, self._read(entry))

        self._decoded = decoded
        found = [standing for _revision, standing in decoded.values() if standing]
        return tuple(sorted(found, key=lambda standing: standing.revision))

    def _read(self, entry: Entry) -> Standing | None:
        try:
            key = parse_key(self._prefix, entry.key)
            ask = decode(entry.value)
        except Rejected as error:
            log.debug("a question cannot be read: %s", error)
            return None

        if not isinstance(key, AskKey):
            return None
        return Standing(key.id, ask, entry.lease, entry.mod_revision)
