"""The runtime API: what is said for each change, and which answers are taken for success."""

from dataclasses import replace
from typing import Any

import pytest

from discover.apply.plan import ServerChange
from discover.apply.runtime import MAINT, RestingServers, Row, commands, states_of, verify
from discover.haproxy.replies import Mismatch
from discover.text.sections import ServerLine, sections_of

LINE = ServerLine("10.0.0.1:80", 100, "check inter 2000ms")
ANSWER = (
    "1\n"
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port\n"
    "2 web:80 1 a:80 10.0.0.1 2 0 100 80\n"
    "2 web:80 2 b:80 fd00::1 2 1 7 81\n"
    "3 db:5432 1 c:80 10.0.0.1 2 0 1 82\n\n"
)


def change(before: ServerLine | None, after: ServerLine | None, name: str = "a:80") -> ServerChange:
    return ServerChange("web:80", name, before, after)


@pytest.mark.parametrize(
    ("given", "rows", "expected"),
    [
        (
            change(None, LINE),
            {},
            (
                "add server web:80/a:80 10.0.0.1:80 weight 100 check inter 2000ms",
                "enable health web:80/a:80",
                "enable server web:80/a:80",
            ),
        ),
        (
            change(None, ServerLine("[fd00::1]:80", 0, "")),
            {},
            ("add server web:80/a:80 [fd00::1]:80 weight 0", "enable server web:80/a:80"),
        ),
        (
            change(LINE, None),
            {"a:80": Row("10.0.0.1:80", 100, 0)},
            ("set server web:80/a:80 state maint",),
        ),
        (change(LINE, None), {"a:80": Row("10.0.0.1:80", 100, 1)}, ()),
        (change(LINE, None), {}, ()),
        (
            change(LINE, ServerLine("10.0.0.1:80", 0, LINE.words)),
            {"a:80": Row("10.0.0.1:80", 100, 0)},
            ("set server web:80/a:80 weight 0",),
        ),
        (
            change(LINE, ServerLine("[fd00::2]:81", 100, LINE.words)),
            {"a:80": Row("10.0.0.1:80", 100, 0)},
            (
                "set server web:80/a:80 state maint",
                "set server web:80/a:80 addr fd00::2 port 81",
                "set server web:80/a:80 state ready",
            ),
        ),
        # its container started again: the server that rests is used again, with its new port
        (
            change(None, ServerLine("10.0.0.1:99", 50, LINE.words)),
            {"a:80": Row("10.0.0.1:80", 100, 1)},
            (
                "set server web:80/a:80 addr 10.0.0.1 port 99",
                "set server web:80/a:80 weight 50",
                "set server web:80/a:80 state ready",
            ),
        ),
        (change(LINE, LINE), {"a:80": Row("10.0.0.1:80", 100, 0)}, ()),
    ],
)
def test_what_is_said(given: Any, rows: dict[str, Row], expected: tuple[str, ...]) -> None:
    assert commands([given], rows) == expected


@pytest.mark.parametrize("words", ["check;shutdown", "check\nquit", 'sni "x"', "a\\ b"])
def test_words_that_would_end_a_command_are_never_said(words: str) -> None:
    with pytest.raises(Mismatch):
        commands([change(None, ServerLine("10.0.0.1:80", 1, words))], {})


def test_states_are_read() -> None:
    assert states_of(ANSWER) == {
        "web:80": {"a:80": Row("10.0.0.1:80", 100, 0), "b:80": Row("[fd00::1]:81", 7, 1)},
        "db:5432": {"c:80": Row("10.0.0.1:82", 1, 0)},
    }


@pytest.mark.parametrize(
    "answer", ["", "Can't find backend.\n\n", "1\n# srv_name\nx\n", ANSWER.replace("100", "many")]
)
def test_an_answer_that_is_none_is_a_mismatch(answer: Any) -> None:
    with pytest.raises(Mismatch):
        states_of(answer)


@pytest.mark.parametrize(
    ("wanted", "row", "good"),
    [
        (LINE, Row("10.0.0.1:80", 100, 0), True),
        (LINE, Row("10.0.0.1:80", 100, 1), False),
        (LINE, Row("10.0.0.1:81", 100, 0), False),
        (LINE, None, False),
        (None, None, True),
        (None, Row("10.0.0.1:80", 100, 1), True),
        (None, Row("10.0.0.1:80", 100, 0), False),
    ],
)
def test_verify(wanted: ServerLine | None, row: Row | None, good: bool) -> None:
    rows = {"a:80": row} if row else {}
    if good:
        verify([change(LINE, wanted)], rows)
    else:
        with pytest.raises(Mismatch):
            verify([change(LINE, wanted)], rows)


def test_a_server_that_went_rests_until_it_comes_again_or_a_reload_leaves_it_out() -> None:
    resting = RestingServers()

    resting.note([change(LINE, None)])
    assert len(resting) == 1
    assert resting.rows([change(None, LINE)]) == {"a:80": Row(LINE.endpoint, LINE.weight, MAINT)}
    resting.note([change(None, LINE)])
    assert len(resting) == 0

    resting.note([change(LINE, None)])
    resting.clear()
    assert resting.rows([change(None, LINE)]) == {}


def test_a_server_that_rests_with_other_options_cannot_be_used_again() -> None:
    resting = RestingServers()
    resting.note([change(LINE, None)])

    with pytest.raises(Mismatch, match="other options"):
        resting.rows([change(None, replace(LINE, words="check"))])


def test_sections_are_read_back() -> None:
    servers = "  server s1 10.0.0.1:80 check weight 5 backup\n  server s2 10.0.0.1:81\n"
    text = f"global\n  x 1\n# c\nlisten a\n  mode tcp\n{servers}"

    sections = sections_of(text)

    assert list(sections) == ["global", "listen a"]
    assert sections["listen a"].lines == ("mode tcp",)
    assert sections["listen a"].servers == {
        "s1": ServerLine("10.0.0.1:80", 5, "check backup"),
        "s2": ServerLine("10.0.0.1:81", 1, "", plain=False),
    }
