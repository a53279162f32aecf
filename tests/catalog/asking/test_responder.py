"""The responder: how often it answers, under whose lease, and what it takes away."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from catalog.asking.answer import Answer, decode
from catalog.asking.ask import Ask
from catalog.asking.inbox import Standing
from catalog.asking.responder import FOLLOWED_MAX, LOST_S, NEWS_S, SETTLE_S, Found, Responder
from catalog.entries import Delete, Entry, Put
from catalog.errors import Conflict, Refused
from catalog.store import Store

KEY = "/services/said/h1/answers/a1/discover"


@dataclass
class FakeStore:
    """Notes what is written; `forbidden` is a lease that etcd's roles keep us off."""

    forbidden: int = 0
    writes: list[tuple[Put | Delete, int]] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)

    def write(self, changes: Sequence[Put | Delete], *, lease: int) -> int:
        (change,) = changes
        if lease and lease == self.forbidden:
            raise Refused("permission denied")
        if self.revisions.get(change.key, 0) != change.expected:
            raise Conflict("another revision")
        self.writes.append((change, lease))
        self.revisions[change.key] = len(self.writes)
        return len(self.writes)

    def get(self, key: str) -> Entry | None:
        revision = self.revisions.get(key)
        return Entry(key, b"", revision, revision, 1) if revision else None

    @property
    def answers(self) -> list[Answer]:
        return [decode(change.value) for change, _ in self.writes if isinstance(change, Put)]


@dataclass
class Rig:
    found: Found = field(default_factory=lambda: Found(Answer(text="one")))
    store: FakeStore = field(default_factory=FakeStore)

    def __post_init__(self) -> None:
        self.responder = Responder("/services", "discover", {"explain": lambda _: self.found})

    def round(self, now_s: float, *standing: Standing) -> float | None:
        return self.responder.round(cast(Store, self.store), "h1", standing, 77, now_s)


def standing(
    kind: str = "explain",
    every_ms: int = 0,
    hosts: tuple[str, ...] = (),
    sides: tuple[str, ...] = (),
) -> Standing:
    return Standing("a1", Ask(kind, "x", hosts, sides, every_ms=every_ms), 9, 5)


def test_it_answers_once_under_the_askers_lease() -> None:
    rig = Rig()
    assert rig.round(0.0, standing()) is None
    assert rig.round(1.0, standing()) is None
    ((change, lease),) = rig.store.writes
    assert change.key == KEY
    assert lease == 9
    assert rig.store.answers == [Answer(text="one")]


def test_what_is_final_in_a_moment_is_one_write() -> None:
    rig = Rig(Found(Answer(text="not yet"), is_final=False))
    assert rig.round(0.0, standing()) == SETTLE_S
    rig.found = Found(Answer(text="done"))
    rig.round(0.05, standing())
    assert [answer.text for answer in rig.store.answers] == ["done"]


def test_what_takes_longer_is_two_writes_however_often_it_changes() -> None:
    rig = Rig(Found(Answer(text="not yet"), is_final=False))
    rig.round(0.0, standing())
    rig.round(0.2, standing())
    for number in range(5):
        rig.found = Found(Answer(text=f"not yet {number}"), is_final=False)
        rig.round(1.0 + number, standing())
    rig.found = Found(Answer(text="done"))
    rig.round(9.0, standing())
    assert [answer.text for answer in rig.store.answers] == ["not yet", "done"]


def test_it_is_renewed_as_often_as_asked_and_only_if_it_changed() -> None:
    rig = Rig()
    assert rig.round(0.0, standing(every_ms=1000)) == 1.0
    assert rig.round(0.4, standing(every_ms=1000)) == 0.6
    rig.round(1.1, standing(every_ms=1000))
    assert len(rig.store.writes) == 1
    rig.found = Found(Answer(text="two"))
    rig.round(2.2, standing(every_ms=1000))
    assert [answer.text for answer in rig.store.answers] == ["one", "two"]


def test_an_unknown_kind_is_said_to_be_unknown() -> None:
    rig = Rig()
    rig.round(0.0, standing("weather"))
    (answer,) = rig.store.answers
    assert answer.status == "unknown"
    assert "weather" in answer.text
    assert "explain" in answer.text


def test_who_is_not_asked_says_nothing() -> None:
    rig = Rig()
    assert rig.round(0.0, standing(hosts=("h2",))) is None
    assert rig.round(0.0, standing("weather", sides=("register",))) is None
    assert not rig.store.writes


def test_what_another_life_answered_is_replaced() -> None:
    rig = Rig(store=FakeStore(revisions={KEY: 3}))
    rig.round(0.0, standing())
    assert len(rig.store.writes) == 1


def test_kept_off_the_askers_lease_it_deletes_what_it_said() -> None:
    rig = Rig(store=FakeStore(forbidden=9))
    rig.round(0.0, standing())
    assert rig.store.writes[0][1] == 77
    rig.round(1.0)
    assert rig.store.writes[1][0] == Delete(KEY, 1)
    rig.round(2.0)
    assert len(rig.store.writes) == 2


def follow(*, is_so: bool, news: object, text: str = "") -> Found:
    return Found(Answer(text=text), is_so, look_s=5.0, news=news)


def test_what_stands_until_it_is_so_is_told_at_once_when_it_is() -> None:
    rig = Rig(follow(is_so=False, news="a", text="not yet"))
    assert rig.round(0.0, standing()) == SETTLE_S
    assert rig.round(SETTLE_S, standing()) == 5.0
    rig.found = follow(is_so=True, news="b", text="so")
    assert rig.round(0.2, standing()) == 5.0
    rig.found = follow(is_so=True, news="b", text="so, with another count")
    rig.round(0.3, standing())
    assert [answer.text for answer in rig.store.answers] == ["not yet", "so"]

    rig.found = follow(is_so=False, news="a", text="no more")
    assert rig.round(1.0, standing()) == pytest.approx(LOST_S)
    rig.found = follow(is_so=True, news="b", text="so")
    rig.round(1.1, standing())
    assert len(rig.store.answers) == 2, "it was so all the while but for a moment"

    rig.found = follow(is_so=False, news="a", text="no more")
    rig.round(2.0, standing())
    rig.round(2.0 + LOST_S, standing())
    assert rig.store.answers[-1].text == "no more"


def test_other_news_of_what_stands_wait_for_each_other() -> None:
    rig = Rig(follow(is_so=False, news=0))
    for number in range(40):
        rig.found = follow(is_so=False, news=number, text=f"{number}")
        rig.round(number * NEWS_S / 10, standing())
    assert len(rig.store.answers) == 4


def test_nothing_is_told_of_what_stands_before_there_are_news() -> None:
    rig = Rig(follow(is_so=False, news=None))
    for now_s in (0.0, 1.0, 2.0):
        assert rig.round(now_s, standing()) == 5.0
    assert not rig.store.writes


def test_many_that_stand_are_looked_at_less_often() -> None:
    rig = Rig(follow(is_so=True, news="b"))
    few, many = (
        tuple(replace(standing(), id=f"a{number}") for number in range(count))
        for count in (FOLLOWED_MAX, 4 * FOLLOWED_MAX)
    )
    assert rig.round(0.0, *few) == 5.0
    assert rig.round(1.0, *many) == 20.0
