"""Memo: the same input gives the same object, another input another value, and a lost name none."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.memo import Memo, MemoByName


class Maker:
    """Makes a new object each time, and notes from what; refuses negative inputs."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def one(self, number: int) -> list[int]:
        if number < 0:
            raise ValueError(number)
        self.made.append(number)
        return [number]

    def named(self, name: str, number: int) -> tuple[str, list[int]]:
        return name, self.one(number)


class NotANumber:
    """An input that does not even equal itself."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]  # as Python itself sets it


def test_the_same_input_gives_the_same_object() -> None:
    maker = Maker()
    memo = Memo(maker.one)

    first = memo.get(1000)
    again = memo.get(int("1000"))

    assert again is first
    assert maker.made == [1000]


def test_another_input_gives_another_value_and_only_the_last_is_kept() -> None:
    maker = Maker()
    memo = Memo(maker.one)

    assert [memo.get(number) for number in (1, 2, 1)] == [[1], [2], [1]]
    assert maker.made == [1, 2, 1]


def test_none_is_an_input_and_a_value_like_any_other() -> None:
    made: list[object] = []
    memo = Memo(made.append)

    assert [memo.get(None), memo.get(None)] == [None, None]
    assert made == [None]


def test_an_object_that_is_the_same_is_not_looked_into() -> None:
    one = Memo[NotANumber, object](lambda _: object())
    by_name = MemoByName[NotANumber, object](lambda _name, _: object())
    odd = NotANumber()

    assert one.get(odd) is one.get(odd)
    assert by_name.get({"a": odd}) is by_name.get({"a": odd})


def test_a_value_that_cannot_be_made_leaves_the_last_one() -> None:
    maker = Maker()
    memo = Memo(maker.one)
    first = memo.get(1)

    with pytest.raises(ValueError, match="-1"):
        memo.get(-1)

    assert memo.get(1) is first


def test_by_name_only_what_changed_is_made_anew() -> None:
    maker = Maker()
    memo = MemoByName(maker.named)

    first = memo.get({"a": 1, "b": 2})
    second = memo.get({"b": 3, "a": 1, "c": 4})

    assert maker.made == [1, 2, 3, 4]
    assert second["a"] is first["a"]
    assert list(second.items()) == [("b", ("b", [3])), ("a", ("a", [1])), ("c", ("c", [4]))]


def test_by_name_nothing_new_gives_the_same_mapping() -> None:
    memo = MemoByName(Maker().named)

    first = memo.get({"a": 1, "b": 2})

    assert memo.get({"a": 1, "b": 2}) is first


def test_by_name_a_name_that_was_away_is_made_anew() -> None:
    maker = Maker()
    memo = MemoByName(maker.named)

    for inputs in ({"a": 1}, {}, {"a": 1}):
        assert memo.get(inputs).keys() == inputs.keys()

    assert maker.made == [1, 1]


def test_by_name_a_value_that_cannot_be_made_leaves_all_as_it_was() -> None:
    memo = MemoByName(Maker().named)
    first = memo.get({"a": 1, "b": 2})

    with pytest.raises(ValueError, match="-1"):
        memo.get({"a": 5, "b": -1})

    assert memo.get({"a": 1, "b": 2}) is first


INPUTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(st.lists(INPUTS))
def test_by_name_any_history_gives_what_no_memory_would(history: list[Mapping[str, int]]) -> None:
    memo = MemoByName[int, tuple[str, int]](lambda name, number: (name, number))

    for inputs in history:
        found = memo.get(inputs)

        assert list(found.items()) == [(name, (name, number)) for name, number in inputs.items()]
