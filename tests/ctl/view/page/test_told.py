"""What of all that was told is about one container."""

from typing import Any

from catalog.asking.answer import Answer
from ctl.asking import Heard
from ctl.view.page.told import containers_called, is_container, joined
from ctl.view.published import Published, about_service
from tests.parts.records import container_id, instance

RECORDS = (
    Published("a", instance(1, "shop", hosts=("shop.example.com",))),
    Published("a", instance(1, "shop-admin", container_name="shop-1", service_port=9000)),
    Published("b", instance(2, "orders", service_port=None)),
)


def heard(status: Any, host: str = "a", **more: Any) -> Heard:
    return Heard(host, "discover", Answer(status, **more), 0.1, 7)


def test_containers_are_found_by_name_and_by_the_beginning_of_an_id() -> None:
    assert len(containers_called(RECORDS, "shop-1")) == 2
    assert len(containers_called(RECORDS, container_id(2))) == 1
    assert len(containers_called(RECORDS, container_id(2)[:12])) == 1
    assert len(containers_called(RECORDS, "0000")) == 3
    assert not containers_called(RECORDS, "000")
    assert not containers_called(RECORDS, "shop")


def test_services_are_found_by_name_port_and_host_name() -> None:
    assert len(about_service(RECORDS, "shop")) == 1
    for what in ("9000", "shop-admin:9000", "shop.example.com", "orders"):
        assert len(about_service(RECORDS, what)) == 1, what
    for what in ("None", "", "shop-1"):
        assert not about_service(RECORDS, what)


def test_a_container_that_is_not_published_is_one_too() -> None:
    row = {"container": "88aaee012233", "name": "shop", "status": "running"}
    answer = Heard("a", "register", Answer(rows=(row, {"name": "broken"})), 0.1, 7)
    for what in ("shop", "88aaee012233", "88aa", "88aaee012233445566"):
        assert is_container([answer], what), what
    for what in ("broken", "88", "99aa"):
        assert not is_container([answer], what)


def test_answers_about_several_services_are_one_of_each_host() -> None:
    mine, other = {"instance": "01:80"}, {"instance": "02:80"}
    answers = [
        heard("answer", rows=(mine, other), facts={"revision": 7, "listeners": [1]}),
        heard("answer", rows=(mine,), facts={"revision": 8, "listeners": [2]}),
        heard("nothing", "b"),
        heard("answer", "b", rows=(other,), facts={"listeners": [2]}),
        heard("nothing"),
    ]
    first, second = joined(answers, {"01"})
    assert first.answer.rows == (mine, mine)
    assert (first.answer.facts["listeners"], first.answer.facts["revision"]) == ([1, 2], 8)
    assert (second.host, second.answer.status, second.answer.rows) == ("b", "answer", ())
