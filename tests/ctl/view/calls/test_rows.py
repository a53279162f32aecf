"""Calls as rows and lines."""

from ctl.view.calls.rows import COLUMNS, Lines, named, names_of_instances, row_of
from ctl.view.published import Published
from tests.parts.records import instance

CALL = {
    "time": "2026-11-27T01:02:03.004Z",
    "service": "orders:8080",
    "method": "GET",
    "path": "/a",
    "status": 503,
    "total_ms": 12,
    "address": "10.0.0.1:32001",
    "end": "the instance refused the connection",
    "code": "SC",
    "retries": "3",
}


def test_an_instance_has_its_name() -> None:
    record = instance(1, "orders")
    names = names_of_instances([Published("h2", record)])

    known = named({**CALL, "instance": f"{record.container[:12]}:8000"}, "h1", names)
    other = named({**CALL, "instance": "0123456789ab:80"}, "h1", names)
    assert row_of(known)["instance"] == "orders-1@h2"
    assert row_of(other)["instance"] == "0123456789ab:80"
    assert row_of(named(CALL, "h1", names))["instance"] == "10.0.0.1:32001"


def test_a_row_says_what_went_wrong() -> None:
    row = row_of({**CALL, "from": "h1"})

    assert (row["time"], row["from"], row["status"], row["ms"]) == (
        "01:02:03.004",
        "h1",
        "503",
        "12",
    )
    assert row["call"] == "GET /a"
    assert row["end"] == "the instance refused the connection (SC), after 3 more tries"
    assert row_of({**CALL, "code": "--", "retries": "0"})["end"] == "-"
    assert row_of({**CALL, "code": "--", "retries": "+1"})["end"] == "after 1 more try"


def test_a_call_without_http_says_how_much_it_moved() -> None:
    assert row_of({"bytes_in": 1, "bytes_out": 2})["call"] == "1 B in, 2 B out"


def test_nothing_from_etcd_reaches_a_terminal_as_it_is() -> None:
    row = row_of({**CALL, "path": "/\x1b[31m", "from": "\x07", "end": "\n"})
    assert all(cell.isprintable() for cell in row.values())


def test_columns_grow() -> None:
    lines = Lines(COLUMNS)
    row = row_of({**CALL, "from": "h1"})

    header, first = lines.header(), lines.line(row)
    assert header.index("CALL") == first.index("GET")
    longer = lines.line({**row, "instance": "x" * 40})
    assert lines.line(row).index("GET") == longer.index("GET")
