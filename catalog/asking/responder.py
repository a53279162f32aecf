"""Answer the questions that stand: each once, or as often as it is asked for, and no more.

An answer is written under the asker's lease, so that it goes with the question. Where etcd's roles
do not allow that, it stands under a lease of our own, and is deleted once the question is gone.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from catalog.asking.answer import Answer, encode, unknown
from catalog.asking.inbox import Standing
from catalog.asking.said_keys import AnswerKey, Side, answer_key
from catalog.entries import Delete, Put
from catalog.errors import Conflict, Refused
from catalog.store import Store

log = logging.getLogger(__name__)

# What will be final in a moment is not told before: a write less for every host.
SETTLE_S = 0.1
# Of a question that stands until something is so, other news wait that long for each other ...
NEWS_S = 1.0
# ... of more than that many all are looked at less often, so that a flood takes no more time ...
FOLLOWED_MAX = 8
# ... and that it is so no more stands that long first: HAProxy is silent while it reloads.
LOST_S = 0.3


class Found(NamedTuple):
    """An answer, and whether it is what was asked for, or only how far it is.

    With `look_s` the question stands until something is so, and may be so no more: it is looked at
    again that often, and told again when `news` change. Nothing is told before there are any.
    """

    answer: Answer
    is_final: bool = True
    look_s: float | None = None
    news: object = None


Answerer = Callable[[Standing], Found]


@dataclass(slots=True)
class _Told:
    """What was answered to one question."""

    seen_s: float
    asked: Standing
    value: bytes | None = None
    revision: int = 0  # of the answer's key; 0: it is not known to exist
    told_s: float = 0.0
    is_final: bool = False
    is_ours: bool = False  # under our own lease: ours to delete
    news: object = None
    is_followed: bool = False  # it is looked at for as long as it stands
    seen: object = None  # what was seen last of that, and since when
    since_s: float = 0.0


class Responder:
    """What one sidecar of a host answers. For one thread."""

    def __init__(self, prefix: str, by: Side, answerers: Mapping[str, Answerer]) -> None:
        self._prefix = prefix
        self._by: Side = by
        self._answerers = answerers
        self._told: dict[str, _Told] = {}
        self._may_use_lease = True

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of question that are answered."""
        return sorted(self._answerers)

    def forget(self) -> None:
        """Count nothing as told: etcd may have lost it."""
        self._told = {}

    def round(
        self, store: Store, host: str, standing: Sequence[Standing], own_lease: int, now_s: float
    ) -> float | None:
        """Answer what is due, and return in how many seconds to come again; None: when woken.

        Raises Unavailable.
        """
        asked = {each.id: each for each in standing if each.ask.is_for(host, self._by)}
        self._tidy(store, host, asked.keys())

        waits = [self._answer(store, host, each, own_lease, now_s) for each in asked.values()]
        due = [wait_s for wait_s in waits if wait_s is not None]
        followed = sum(told.is_followed for told in self._told.values())
        return min(due) * max(1.0, followed / FOLLOWED_MAX) if due else None

    def _tidy(self, store: Store, host: str, standing: Set[str]) -> None:
        """Delete the answers of our own to questions that are gone."""
        for id_ in [id_ for id_ in self._told if id_ not in standing]:
            told = self._told.pop(id_)
            if told.is_ours and told.revision:
                key = answer_key(self._prefix, AnswerKey(host, id_, self._by))
                try:
                    store.write((Delete(key, told.revision),), lease=0)
                except Conflict:
                    continue

    def _answer(
        self, store: Store, host: str, asked: Standing, own_lease: int, now_s: float
    ) -> float | None:
        told = self._told.get(asked.id)
        if told is None or told.asked != asked:
            told = self._told[asked.id] = _Told(now_s, asked, revision=told.revision if told else 0)

        every_s = asked.ask.every_ms / 1000
        if told.is_final and not told.is_followed:
            rest_s = told.told_s + every_s - now_s
            if not every_s or rest_s > 0:
                return rest_s if every_s else None

        found = self._found(asked)
        if found.look_s is not None:
            told.is_followed = True
            wait_s = _wait_s(told, found, now_s)
            if wait_s <= 0:
                self._take(store, host, told, found, own_lease, now_s)
            return min(found.look_s, wait_s) if wait_s > 0 else found.look_s

        if not found.is_final and told.value is None and now_s < told.seen_s + SETTLE_S:
            return told.seen_s + SETTLE_S - now_s
        if not found.is_final and told.value is not None:
            return None  # how far it is was told already

        self._take(store, host, told, found, own_lease, now_s)
        return every_s or None

    def _take(
        self, store: Store, host: str, told: _Told, found: Found, own_lease: int, now_s: float
    ) -> None:
        value = encode(found.answer)
        if value != told.value:
            self._tell(store, host, told, value, own_lease)
        told.value, told.told_s, told.is_final = value, now_s, found.is_final
        told.news = found.news

    def _found(self, asked: Standing) -> Found:
        answerer = self._answerers.get(asked.ask.kind)
        if answerer is None:
            return Found(unknown(asked.ask.kind, self.kinds))
        return answerer(asked)

    def _tell(self, store: Store, host: str, told: _Told, value: bytes, own_lease: int) -> None:
        """Write an answer; one that nobody waits for any more is not written."""
        key = answer_key(self._prefix, AnswerKey(host, told.asked.id, self._by))
        if self._may_use_lease:
            try:
                told.revision = put(store, key, value, told.revision, told.asked.lease)
            except Refused:
                self._may_use_lease = False
                log.info("etcd's roles keep us off the asker's lease: answers are deleted by us")
            else:
                return

        if own_lease:
            told.revision = put(store, key, value, told.revision, own_lease)
            told.is_ours = True


def _wait_s(told: _Told, found: Found, now_s: float) -> float:
    """Return how long until something of a question that stands is told; inf: nothing is new."""
    if told.seen != (found.news, found.is_final):
        told.seen, told.since_s = (found.news, found.is_final), now_s
    if found.news == told.news and found.is_final == told.is_final:
        return math.inf
    if found.is_final and not told.is_final:
        return 0.0
    if told.value is None:
        return told.seen_s + SETTLE_S - now_s
    return (told.since_s + LOST_S if told.is_final else told.told_s + NEWS_S) - now_s


def put(store: Store, key: str, value: bytes, expected: int, lease: int) -> int:
    """Write a key that is ours, whoever wrote it last; return its revision, 0 if it cannot be."""
    for _ in range(2):
        try:
            return store.write((Put(key, value, expected),), lease=lease)
        except Conflict:
            entry = store.get(key)
            expected = entry.mod_revision if entry else 0
    return 0
