"""Questions, answers, presence and refusals as bytes: strict, bounded, and the same both ways."""

import json

import pytest

from catalog.asking import answer, ask, presence, refusals
from catalog.asking.answer import Answer
from catalog.asking.ask import EVERY_MS_MIN, Ask
from catalog.asking.fields import BYTES_MAX
from catalog.asking.presence import Presence
from catalog.asking.refusals import Refusal
from catalog.asking.said_keys import AnswerKey, answer_key, parse_answer_key
from catalog.errors import Rejected


def test_no_text_of_an_answer_reaches_a_terminal_as_a_command() -> None:
    row = {"name": "web\x1b[2J", "ports": ["80\n\x07"], "\u202e": {"deep": "\x9b"}, "count": 2}
    said = answer.decode(answer.encode(Answer(facts={"why": "a\rb"}, rows=(row,))))

    assert said.facts == {"why": "a?b"}
    assert said.rows == ({"name": "web?[2J", "ports": ["80??"], "?": {"deep": "?"}, "count": 2},)


def test_each_record_is_read_as_it_was_written() -> None:
    asked = Ask(
        "explain",
        "orders",
        hosts=("a", "b"),
        sides=("discover",),
        revision=7,
        every_ms=1000,
        by="anna",
        arguments={"since": "10m"},
        names=("x", "y"),
    )
    assert ask.decode(ask.encode(asked)) == asked

    said = Answer("nothing", "no", {"revision": 3}, ({"state": "UP"},))
    assert answer.decode(answer.encode(said)) == said

    here = Presence("1", "2.6", "z", ("127.0.0.1",), ":80", "127.0.0.1:9302", "etcd: no", ("x",))
    assert presence.decode(presence.encode(here)) == here

    refused = (Refusal("a", "IGNORED", "said so"), Refusal("b", "UDP_PORT", "53/udp"))
    found = refusals.decode(refusals.encode(reversed(refused), ("explain",)))
    assert (found.rows, found.left_out, found.kinds) == (refused, 0, ("explain",))


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"kind": "explain"}, "v: None"),
        ({"v": 2, "kind": "explain"}, "v: 2"),
        ({"v": 1}, "kind"),
        ({"v": 1, "kind": "Explain me"}, "kind"),
        ({"v": 1, "kind": "explain", "what": "a\nb"}, "what"),
        ({"v": 1, "kind": "explain", "hosts": "a"}, "hosts"),
        ({"v": 1, "kind": "explain", "hosts": [1]}, "hosts"),
        ({"v": 1, "kind": "explain", "revision": -1}, "revision"),
        ({"v": 1, "kind": "explain", "revision": True}, "revision"),
        ({"v": 1, "kind": "explain", "arguments": {"a": 1}}, "a"),
        ({"v": 1, "kind": "explain", "hosts": ["h"] * 1001}, "hosts"),
        ({"v": 1, "kind": "until", "names": ["a\nb"]}, "names"),
        ({"v": 1, "kind": "until", "names": ["h"] * 101}, "names"),
    ],
)
def test_a_wrong_question_is_rejected_with_its_field(document: object, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        ask.decode(json.dumps(document).encode())


def test_a_question_that_is_too_long_is_not_even_read() -> None:
    with pytest.raises(Rejected, match="at most"):
        ask.decode(b" " * (BYTES_MAX + 1))


def test_unknown_fields_are_ignored_and_an_unknown_kind_is_read() -> None:
    assert ask.decode(b'{"v":1,"kind":"weather","new":1}') == Ask("weather")


def test_answers_are_not_asked_for_faster_than_hosts_can_write() -> None:
    assert ask.decode(ask.encode(Ask("counters", every_ms=1))).every_ms == EVERY_MS_MIN


def test_rows_without_room_are_left_out_and_counted() -> None:
    rows = tuple({"instance": f"{number:0100d}"} for number in range(2000))
    value = answer.encode(Answer(rows=rows))
    found = answer.decode(value)
    assert len(value) <= BYTES_MAX
    assert len(found.rows) > 100
    assert len(found.rows) + found.left_out == 2000

    refused = [Refusal(f"{number:0100d}", "IGNORED", "x") for number in range(2000)]
    value = refusals.encode(refused)
    assert len(value) <= BYTES_MAX
    assert len(refusals.decode(value).rows) + refusals.decode(value).left_out == 2000


def test_facts_without_room_are_said_to_be_too_long() -> None:
    found = answer.decode(answer.encode(Answer(facts={"a": "x" * BYTES_MAX})))
    assert found.status == "failed"
    assert "64 KiB" in found.text


def test_an_odd_text_costs_itself_alone() -> None:
    value = refusals.encode([Refusal("a\x00b", "X", "y" * 5000), Refusal("c", "X", "\ud800")])
    assert [row.where for row in refusals.decode(value).rows] == ["a?b", "c"]


def test_keys_of_answers() -> None:
    key = AnswerKey("h1", "a1", "register")
    text = "/services/said/h1/answers/a1/register"
    assert answer_key("/services", key) == text
    assert parse_answer_key("/services", text) == key
    for wrong in ("/services/said/h1/refused", text + "x", text.replace("h1", "h 1"), "/x"):
        assert parse_answer_key("/services", wrong) is None
