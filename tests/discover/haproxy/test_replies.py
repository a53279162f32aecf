"""HAProxy's answers: tables, maps, and the words that mean that a command was done."""

import pytest

from discover.haproxy.replies import Mismatch, expect_done, map_entries, rows_of, table_of

STATES = "1\n# be_id be_name srv_name\n2 web:80 a:80\n2 web:80 b:80\n\n"
STATS = "# pxname,svname,stot,\nweb:80,a:80,12,\nweb:80,BACKEND,,\n\n"


def test_columns_are_picked_in_the_order_asked_for() -> None:
    assert list(rows_of(STATES, "srv_name", "be_name")) == [("a:80", "web:80"), ("b:80", "web:80")]
    assert list(rows_of(STATS, "svname", "stot", separator=",")) == [
        ("a:80", "12"),
        ("BACKEND", ""),
    ]


def test_each_table_is_read_by_its_own_header() -> None:
    other = "1\n# srv_name be_name\nc:80 db:5432\n"

    assert list(rows_of(STATES + other, "be_name", "srv_name"))[2:] == [("db:5432", "c:80")]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\nCan't find backend.\n",
        "2 web:80 a:80\n",
        "1\n# be_id other\n2 web:80\n",
        "1\n# be_id be_name srv_name\n2 web:80\n",
    ],
    ids=["nothing", "a message", "no header", "no such column", "a row cut short"],
)
def test_what_is_no_row_is_skipped(answer: str) -> None:
    assert list(rows_of(answer, "be_name", "srv_name")) == []


def test_a_table_alone_is_read_whole() -> None:
    assert table_of(STATES, "srv_name") == [("a:80",), ("b:80",)]
    assert table_of("1\n# srv_name\n", "srv_name") == []


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Can't find backend.\n\n",
        "two\nlines\n",
        "1\n# be_name\nweb:80\n",
        STATES + "cut\n",
    ],
    ids=["nothing", "a message", "no header", "no such column", "a row cut short"],
)
def test_a_table_that_is_not_whole_is_a_mismatch(answer: str) -> None:
    with pytest.raises(Mismatch):
        table_of(answer, "srv_name")


def test_a_map_is_read() -> None:
    assert map_entries("0x1 a/ x\n0x2 b/ y\n\n") == {"a/": "x", "b/": "y"}


@pytest.mark.parametrize(
    "answer",
    ["0x1 a/ x\n0x2 a/ y\n", "Unknown map identifier. Please use #<id> or <file>.\n"],
    ids=["a key twice", "a message"],
)
def test_a_map_that_is_none_is_a_mismatch(answer: str) -> None:
    with pytest.raises(Mismatch):
        map_entries(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "New server registered.\n\n\n\n",
        "\n",
        "nothing changed\n\n",
        "no need to change the addr, port changed from '1' to '2' by 'stats socket command'\n",
        "port changed from '18081' to '18082' by 'stats socket command'\n",
        "IP changed from '10.0.0.1' to '10.0.0.2', "
        "port changed from '1' to '2' by 'stats socket command'\n",
    ],
)
def test_success(answer: str) -> None:
    expect_done(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "No such server.\n\n",
        "Already exists a server with the same name in backend.\n\n",
        "unknown keyword 'bogus'.\n\n",
        "New server registered.\n\nNo such server.\n",
        "Unknown command: 'add server'\n",
    ],
)
def test_anything_else_is_none(answer: str) -> None:
    with pytest.raises(Mismatch):
        expect_done(answer)
