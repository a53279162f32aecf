"""What is waited for: it is so on every host, or it cannot be."""

from typing import Any

import pytest

from catalog.asking.answer import Answer
from catalog.errors import Rejected
from ctl.asking import Heard
from ctl.fleet import Sidecar
from ctl.view.waiting import Goal, Wait, goal_of, is_met

A: Sidecar = ("a", "discover")
B: Sidecar = ("b", "discover")
R: Sidecar = ("a", "register")
UP = {"role": "real", "state": "UP 1/2"}
STUB = {"role": "stub", "state": "no check"}
LEAVING = {"role": "real", "state": "UP", "draining": True}
BAD = {"code": "BAD_LABEL", "where": "shop", "text": "x"}


def heard(sidecar: Sidecar, *rows: dict[str, Any], status: Any = "answer") -> Heard:
    return Heard(*sidecar, Answer(status, rows=rows), 0.1, 7)


def test_goals_are_read() -> None:
    assert goal_of("ready=3") == Goal("ready", 3)
    assert goal_of("gone") == Goal("gone", 1)
    assert goal_of("revision") == Goal("revision", 0)


@pytest.mark.parametrize("text", ["", "ready=0", "stub=2", "up", "ready=x", "revision=-1"])
def test_wrong_goals_are_refused(text: str) -> None:
    with pytest.raises(Rejected, match="none of ready"):
        goal_of(text)


@pytest.mark.parametrize(
    ("goal", "rows", "is_so"),
    [
        (Goal("ready"), (UP,), True),
        (Goal("ready", 2), (UP, STUB), False),
        (Goal("ready"), (LEAVING,), False),
        (Goal("stub"), (UP,), False),
        (Goal("stub"), (STUB,), True),
        (Goal("gone"), (LEAVING,), False),
        (Goal("gone"), (), True),
    ],
)
def test_an_answer_says_whether_it_is_so(goal: Goal, rows: tuple[Any, ...], is_so: bool) -> None:
    assert is_met(goal, Answer(rows=rows)) == is_so
    assert not is_met(goal, Answer("failed", rows=rows))


def test_every_host_has_to_say_so_but_those_that_left() -> None:
    wait = Wait("orders", Goal("ready"), frozenset({A, B, R}))
    wait.take(heard(A, UP))
    assert not wait.is_done()
    assert wait.said() == "ready 1/1 on 1 of 2 hosts (not: b)"
    assert wait.is_done(left={B})
    assert not wait.is_done(left={A, B})

    wait.take(heard(B, UP))
    assert wait.is_done()
    wait.take(heard(A))
    assert not wait.is_done()


def test_what_no_time_heals_ends_it() -> None:
    wait = Wait("shop", Goal("ready"), frozenset({A, R}))
    wait.take(heard(R, {"refused": [BAD], "published": []}))
    assert not wait.final(), "the proxy has not said yet"
    wait.take(heard(A, status="nothing"))
    assert wait.final() == "BAD_LABEL shop: x"

    starting = {"refused": [{"code": "STARTING"}], "published": []}
    wait.take(heard(R, {"refused": [BAD], "published": []}, starting))
    assert not wait.final(), "another container starts"
    wait.take(heard(R, {"refused": [BAD], "published": []}))

    wait.take(heard(A, UP))
    assert not wait.final(), "another instance is called"
    wait.take(heard(A))
    wait.take(heard(R, {"refused": [BAD], "published": [{"service": "shop"}]}))
    assert not wait.final(), "another port is published"
