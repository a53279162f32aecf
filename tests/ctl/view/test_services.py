"""Services as rows: counts are HAProxy's, the worst comes first, hosts that differ are named."""

from typing import Any

from catalog.asking.answer import Answer
from catalog.asking.refusals import Refusal, Refusals
from ctl.asking import Heard
from ctl.view.published import Published
from ctl.view.services import refused_rows, service_rows
from tests.parts.records import instance


def heard(host: str, *rows: dict[str, Any], left_out: int = 0) -> Heard:
    return Heard(host, "discover", Answer(rows=rows, left_out=left_out), 0.1, 7)


def row(service: str, **counts: Any) -> dict[str, Any]:
    return {"service": service, "port": 8000, "mode": "http", **counts}


def test_the_worst_comes_first() -> None:
    answers = [
        heard(
            "a",
            row("fine", up=2, real=2),
            row("gone"),
            row("half", up=1, real=2, why="L4CON refused"),
            row("pets", stubs=1, stubs_up=1),
            row("down", real=1, why="L7STS 503"),
        )
    ]
    rows = service_rows((), answers)

    assert [(it["service"], it["state"]) for it in rows] == [
        ("down", "nobody"),
        ("gone", "nobody"),
        ("half", "partly"),
        ("pets", "stubs"),
        ("fine", "serving"),
    ]
    assert [it["note"] for it in rows] == [
        "checks fail: L7STS 503",
        "no instance: its port is kept for a while",
        "checks fail: L4CON refused",
        "a stub answers",
        "",
    ]


def test_hosts_that_differ_are_named() -> None:
    published = (Published("a", instance(1, "orders")), Published("b", instance(2, "orders")))
    answers = [heard("a", row("orders", up=2, real=2)), heard("b", row("orders", up=1, real=2))]
    (found,) = service_rows(published, answers)
    assert (found["ready"], found["hosts"]) == ("1/2", ["a", "b"])
    assert found["note"] == "fewest on b"

    (found,) = service_rows(published, [*answers, heard("c")])
    assert found["state"] == "partly"
    assert found["note"].endswith("not on c")

    (found,) = service_rows(published, [answers[0], heard("c", left_out=1)])
    assert (found["state"], found["ready"]) == ("serving", "2/2")


def test_what_no_haproxy_has_is_called_by_nobody() -> None:
    (found,) = service_rows((Published("a", instance(1, "orders")),), [heard("a"), heard("b")])
    assert (found["state"], found["note"]) == (
        "nobody",
        "no HAProxy has it: tandem explain says why",
    )


def test_without_an_answer_nothing_is_claimed() -> None:
    (found,) = service_rows((Published("a", instance(1, "orders")),), ())
    assert (found["state"], found["ready"], found["up"]) == ("unknown", "?/1", None)


def test_refusals_that_nobody_meant_are_rows() -> None:
    said = Refusals((Refusal("db", "IGNORED", "x"), Refusal("shop:80", "UDP_PORT", "no")))
    (found,) = refused_rows({"a": said}, {"a": "z"})
    assert found["zones"] == ["z"]
    assert (found["service"], found["hosts"], found["note"]) == ("shop:80", ["a"], "UDP_PORT no")


def test_each_port_of_a_service_has_a_row() -> None:
    published = (
        Published("a", instance(1, "forge", service_port=3000)),
        Published("a", instance(2, "forge", service_port=2222)),
    )
    answers = [heard("a", row("forge", port=3000, up=1, real=1), row("forge", port=2222, real=1))]

    rows = service_rows(published, answers)

    assert [(it["port"], it["ready"]) for it in rows] == [(2222, "0/1"), (3000, "1/1")]


def test_a_port_that_was_assigned_is_that_of_the_records_without_one() -> None:
    published = (Published("a", instance(1, "orders", service_port=None)),)

    (found,) = service_rows(published, [heard("a", row("orders", port=10007, up=1, real=1))])

    assert (found["port"], found["ready"]) == (10007, "1/1")
