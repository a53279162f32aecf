"""What would be left: the fewest of all hosts count, stubs only half, the unused not."""

from typing import Any

import pytest

from ctl.overrides.left import Left, count_text, left_by_records, left_of, sessions_of
from ctl.overrides.target import target_of
from ctl.view.published import Published
from tests.parts.records import instance


def row(service: str = "orders", port: int = 8080, **counts: int) -> dict[str, Any]:
    return {"service": service, "port": port, "concerned": 1, "up": 1, **counts}


@pytest.mark.parametrize(
    ("rows", "nobody", "only_stubs"),
    [
        ({"a": [row(left=1)]}, (), ()),
        ({"a": [row(left=0)]}, ("orders",), ()),
        ({"a": [row(left=0, stubs_left=1)]}, (), ("orders",)),
        ({"a": [row(left=2)], "b": [row(left=0)]}, ("orders",), ()),
        ({"a": [row(left=0, stubs_left=1)], "b": [row(left=0)]}, ("orders",), ()),
        ({"a": [row(left=0, up=0)]}, (), ()),
        ({"a": [row(left=0), row("pets", left=0, stubs_left=2)]}, ("orders",), ("pets",)),
        ({"a": [row(left=1), row(port=8081, left=0)]}, ("orders",), ()),
        ({}, (), ()),
    ],
)
def test_what_callers_would_lose(
    rows: dict[str, Any], nobody: tuple[str, ...], only_stubs: tuple[str, ...]
) -> None:
    left = left_of(rows)
    assert (left.nobody, left.only_stubs) == (nobody, only_stubs)
    assert left.is_harmless == (not nobody and not only_stubs)


def test_it_is_said_in_one_line() -> None:
    both = left_of({"a": [row("web", left=0, concerned=2)]})
    assert both.text == "web (all 2 of it)"

    left = left_of({"a": [row("db", left=0), row("pets", left=0, stubs_left=2)]})
    assert left.text == "db (its only one), pets (a stub answers)"
    assert count_text(left) == "2 instances of db, pets"
    assert count_text(Left()) == "no instance now"
    many = Left(concerned={f"s{number}": 1 for number in range(7)})
    assert count_text(many) == "7 instances of s0, s1, s2, s3, s4 and 2 more"


def test_connections_are_counted_by_host() -> None:
    assert sessions_of({"b": [row(sessions=2), row(sessions=1)], "a": [row()]}) == {"b": 3}


def test_without_a_proxy_the_records_say_it() -> None:
    records = (
        Published("a", instance(1, "db"), 1),
        Published("a", instance(2, "orders"), 2),
        Published("b", instance(3, "orders", state="draining"), 3),
        Published("a", instance(4, "pets"), 4),
        Published("b", instance(5, "pets", role="stub"), 5),
        Published("a", instance(6, "web"), 6),
        Published("b", instance(7, "web"), 7),
    )
    left = left_by_records(target_of("host/a", records, {"a"}), records)
    assert (left.nobody, left.only_stubs) == (("db", "orders"), ("pets",))
    assert sum(left.concerned.values()) == 4
