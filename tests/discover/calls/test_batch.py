"""The calls of one question, from one answer to the next."""

from dataclasses import replace

import pytest

from catalog.asking.answer import encode
from catalog.asking.fields import BYTES_MAX
from catalog.records.record import Log
from discover.calls.batch import ROWS_MAX, Batch
from discover.model.proxy_config import Process, Server
from discover.model.spare_backends import spare_backend

PROCESS = Process(None, "/run/admin.sock", 100, None, None)
CALL = {"service": "orders:8080", "address": "192.0.2.1:80", "code": "--", "status": 200}
LISTENER = replace(
    spare_backend(1),
    name="orders:8080",
    service="orders",
    port=8080,
    servers=(Server("c1:80", "192.0.2.1:80", 100, draining=False, backup=False, cookie=""),),
)


def batch(*, only_errors: bool = False) -> Batch:
    it = Batch(of_all=False, only_errors=only_errors)
    it.look_at([LISTENER], PROCESS)
    return it


def test_it_is_told_once() -> None:
    it = batch()
    it.take(CALL)

    first = it.tell(is_reading=True, why="")
    assert [row["instance"] for row in first.rows] == ["c1:80"]
    it.take(CALL)
    second = it.tell(is_reading=True, why="")
    assert second.facts != first.facts
    assert it.tell(is_reading=True, why="") is second


def test_it_has_calls_of_its_listeners_alone() -> None:
    it = batch()

    assert it.wants("orders:8080")
    assert not it.wants("pets:80")
    assert Batch(of_all=True, only_errors=False).wants("pets:80")


def test_only_errors_are_taken_if_only_they_are_asked_for() -> None:
    it = batch(only_errors=True)
    it.take(CALL)
    it.take({**CALL, "status": 503})

    assert [row["status"] for row in it.tell(is_reading=True, why="").rows] == [503]


def test_too_many_are_counted() -> None:
    it = batch()
    for _ in range(ROWS_MAX + 7):
        it.take(CALL)

    answer = it.tell(is_reading=True, why="")
    assert (len(answer.rows), answer.left_out) == (ROWS_MAX, 7)
    assert len(encode(answer)) <= BYTES_MAX


def test_it_says_why_there_are_none() -> None:
    it = batch()
    assert it.tell(is_reading=False, why="HAProxy is away").status == "failed"
    it.look_at([], PROCESS)
    assert it.tell(is_reading=True, why="").status == "nothing"


@pytest.mark.parametrize(
    ("service", "process", "tapped", "seen", "wants_all"),
    [
        (None, "errors", False, "errors", True),
        (None, "errors", True, "all", True),
        (None, "all", False, "all", False),
        ("errors", "all", False, "errors", True),
        ("all", "errors", False, "all", False),
        ("off", "all", False, "off", False),
        (None, "off", True, "off", False),
    ],
)
def test_it_says_which_calls_it_sees(
    service: Log | None, process: Log, tapped: bool, seen: Log, wants_all: bool
) -> None:
    it = batch()
    it.look_at(
        [replace(LISTENER, log=service)], replace(PROCESS, access_log=process, tapped=tapped)
    )

    assert (it.seen, it.wants_all) == (seen, wants_all)
    assert it.tell(is_reading=True, why="").facts["seen"] == seen
