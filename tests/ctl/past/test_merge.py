"""The lines of several hosts are one change each, ordered by etcd's revision."""

from typing import Any

from catalog.asking.journal import Line
from ctl.past.merge import Change, Told, applied, merged
from ctl.past.rows import line_of, row_of


def told(by: str, what: str = "came", revision: int = 5, at_ms: int = 1000, **more: Any) -> Told:
    known: dict[str, Any] = {"service": "shop", "instance": "00ab:80", "host": "h1"}
    line = Line(what=what, revision=revision, at_ms=at_ms, **(known | more))
    return Told(by, line)


def shown(changes: list[Change]) -> list[tuple[str, int, list[str]]]:
    return [(it.line.what, it.line.revision, sorted(it.told)) for it in changes]


def test_what_etcd_has_is_one_change_however_far_clocks_differ() -> None:
    found = merged([told("a", at_ms=1), told("b", at_ms=9_000_000), told("a", "left", 7)])
    assert shown(found) == [("came", 5, ["a", "b"]), ("left", 7, ["a"])]


def test_changes_are_ordered_by_revision() -> None:
    found = merged([told("a", "left", 9, at_ms=1), told("a", "drain", 8, at_ms=2)])
    assert [it.line.revision for it in found] == [8, 9]


def test_what_a_listing_found_is_the_change_that_another_host_saw() -> None:
    lines = [told("a", "left", 7), told("b", "left", 12, after=6), told("c", "left", 12, after=8)]
    assert shown(merged(lines)) == [("left", 7, ["a", "b"]), ("left", 12, ["c"])]


def test_what_hosts_decide_is_one_change_if_they_do_so_together() -> None:
    lines = [
        told("a", "reload", own=1, at_ms=1000, detail="new frontend shop"),
        told("b", "reload", own=1, at_ms=3000, detail="new frontend shop"),
        told("a", "reload", own=1, at_ms=60_000, detail="new frontend shop"),
        told("b", "reload", own=1, at_ms=3000, detail="removed frontend pets"),
    ]
    assert [hosts for _, _, hosts in shown(merged(lines))] == [["a", "b"], ["b"], ["a"]]


def test_a_start_is_of_one_host() -> None:
    lines = [told(by, "start", own=1, service="", instance="", host="") for by in "ab"]
    assert len(merged(lines)) == 2


def test_the_slowest_host_and_those_that_wait_are_named() -> None:
    (change,) = merged(
        [
            told("a", how="runtime", took_ms=3),
            told("b", how="reload", took_ms=40),
            told("c"),
        ]
    )
    found = applied(change)
    assert (found["how"], found["slowest"], found["waiting"]) == ("reload and runtime", "b", ["c"])

    row = row_of(change, 3, 2.0)
    assert (row["applied"], row["took"]) == ("waits: c", "40 ms")


def test_a_row_is_one_line_for_those_who_watch() -> None:
    (change,) = merged([told("a", how="runtime", took_ms=3, cause="started", name="shop-1")])
    words = line_of(row_of(change, 1, 2.0)).split("  ")
    assert words[1:] == ["shop", "shop-1 on h1", "came", "started", "1/1 runtime 3 ms", "5"]
