"""Stub debt: rows of all hosts, what is overdue first."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from catalog.asking.answer import Answer
from ctl.asking import Heard
from ctl.view.published import Published
from ctl.view.stubs import for_people, stub_rows
from tests.parts.records import instance

NOW = datetime(2026, 6, 10, 12, 0, 0, tzinfo=UTC)


def heard(host: str, *rows: dict[str, Any]) -> Heard:
    return Heard(host, "discover", Answer(rows=rows), 0.1, 7)


def debt(service: str, since: object, calls: int, stubs: int = 1) -> dict[str, Any]:
    return {"service": service, "since": since, "instances": stubs, "calls": calls}


def stub(number: int, service: str, until: str) -> Published:
    record = instance(number, service=service, role="stub")
    return Published("a", replace(record, stub_until=until))


def test_calls_are_those_of_all_hosts_since_the_first() -> None:
    rows = stub_rows(
        [
            heard("b", debt("pets", "2026-06-10T10:00:00Z", 20, 2)),
            heard(
                "a", debt("pets", "2026-06-10T11:00:00Z", 5), debt("old", "2026-06-01T00:00:00Z", 0)
            ),
            Heard("c", "discover", Answer("failed", "x", rows=(debt("no", "", 1),)), 0.1, 7),
        ],
        [],
        NOW,
    )
    assert [row["service"] for row in rows] == ["old", "pets"]
    assert rows[1] == {
        "service": "pets",
        "since": "2026-06-10T10:00:00Z",
        "stubs": 2,
        "calls": 25,
        "calls/h": 15.0,
        "until": None,
        "overdue": False,
        "hosts": ["a", "b"],
    }  # fmt: skip


def test_what_is_overdue_comes_first() -> None:
    published = [
        stub(1, "late", "2026-06-09"),
        stub(2, "late", "2026-07-01"),
        stub(3, "today", "2026-06-10"),
    ]
    debts = (debt("today", "2026-06-01T00:00:00Z", 1), debt("late", "2026-06-10T11:58:59Z", 1))
    rows = stub_rows([heard("a", *debts)], published, NOW)
    shown = for_people(rows, NOW)
    assert [(it["service"], it["since"], it["until"]) for it in shown] == [
        ("late", "61s", "2026-06-09 overdue"),
        ("today", "9d", "2026-06-10"),
    ]


def test_what_a_host_says_wrongly_costs_no_other_row() -> None:
    rows = stub_rows([heard("a", debt("x", None, -3), {}), heard("b", debt("y", "", 1))], [], NOW)
    assert {(it["service"], it["calls"], it["since"]) for it in rows} == {
        ("x", 0, "2026-06-10T12:00:00Z"),
        ("None", 0, "2026-06-10T12:00:00Z"),
        ("y", 1, "2026-06-10T12:00:00Z"),
    }
