"""What is waited for: it is so on every host, or it cannot be."""

from typing import Any

from catalog.asking.answer import Answer
from ctl.asking import Heard
from ctl.view.waiting import Goal, Wait, said_at, with_help

UP = {"is": True, "real": 1, "of": 1}
DOWN = {"is": False, "of": 1, "said": "10.0.0.1:80 is DOWN: L7STS/503"}
BAD = {"code": "BAD_LABEL", "where": "shop", "text": "x"}
CLAIMED = {"code": "PORT_CLAIMED", "where": "/s/v1/hosts/a/instances/shop/1:80", "text": "y"}


def heard(host: str, after_s: float = 0.1, side: Any = "discover", **rows: Any) -> Heard:
    return Heard(host, side, Answer(rows=tuple({"name": it} | rows[it] for it in rows)), after_s, 7)


def register(*refused: dict[str, Any], is_published: bool = False) -> Heard:
    row = {"name": "shop", "refused": list(refused), "is_published": is_published}
    return Heard("a", "register", Answer(rows=(row,)), 0.1, 7)


def waiting(*names: str, **options: Any) -> Wait:
    return Wait(names or ("shop",), Goal("ready"), hosts={"a", "b"}, **options)


def test_every_host_has_to_say_so_but_those_that_left() -> None:
    wait = waiting()
    wait.take(heard("a", shop=UP))
    assert not wait.is_done()
    assert wait.lines("shop", after_s=3.0) == [
        "shop  ready 0/1 on 1 of 2 hosts  3.0 s",
        "  b  silent: its docker-discover has not answered",
    ]
    assert wait.is_done(left={("b", "discover")})
    assert not wait.is_done(left={("a", "discover"), ("b", "discover")})

    wait.take(heard("b", 0.4, shop=UP))
    assert wait.is_done()
    assert wait.lines("shop") == ["shop  ready 1/1 on 2 of 2 hosts  0.4 s"]
    wait.take(heard("a", shop=DOWN))
    assert not wait.is_done()
    assert wait.lines("shop")[1] == "  a  10.0.0.1:80 is DOWN: L7STS/503"


def test_a_host_that_comes_meanwhile_is_waited_for_too() -> None:
    wait = waiting()
    for host, row in (("a", UP), ("b", UP), ("c", DOWN)):
        wait.take(heard(host, shop=row))
    assert not wait.is_done()


def test_all_names_are_waited_for_or_any() -> None:
    for is_any in (False, True):
        wait = waiting("shop", "pets", is_any=is_any)
        wait.take(heard("a", shop=UP, pets=DOWN))
        wait.take(heard("b", shop=UP, pets=UP))
        assert wait.is_done() == is_any
        assert (wait.is_so("shop"), wait.is_so("pets")) == (True, False)


def test_one_that_cannot_answer_says_why() -> None:
    wait = waiting()
    wait.take(heard("a", shop=UP))
    wait.take(Heard("b", "discover", Answer("failed", "HAProxy does not answer"), 0.1, 7))
    assert not wait.is_done()
    assert wait.lines("shop")[1] == "  b  HAProxy does not answer"


def test_what_no_time_heals_ends_it() -> None:
    wait = waiting()
    wait.take(register(BAD))
    wait.take(heard("a", shop={"is": False}))
    assert not wait.hopeless(), "a proxy has not said yet"
    wait.take(heard("b", shop={"is": False}))
    assert wait.hopeless() == {"shop": BAD}
    assert with_help(BAD).startswith("BAD_LABEL shop: x\n  helps: ")

    wait.take(register(BAD, {"code": "STARTING"}))
    assert wait.hopeless(), "one port starts, the other one never will"
    wait.take(Heard("c", "register", register({"code": "STARTING"}).answer, 0.1, 7))
    assert not wait.hopeless(), "another container starts"
    wait.registers.pop("c")

    wait.take(register(BAD, is_published=True))
    assert not wait.hopeless(), "another port is published"
    wait.take(register(BAD))
    wait.take(heard("a", shop={"is": False, "real": 1}))
    assert not wait.hopeless(), "another instance is called"


def test_what_haproxy_refuses_ends_it_though_it_is_published() -> None:
    wait = waiting()
    wait.take(register({"code": "NOT_APPLIED"}, is_published=True))
    for host in ("a", "b"):
        wait.take(heard(host, shop={"is": False, "refused": [CLAIMED]}))
    assert wait.hopeless() == {"shop": CLAIMED}
    assert wait.is_refused_by_proxies(["shop"])
    assert "PORT_CLAIMED shop/1:80: y" in wait.lines("shop")[1]


def test_of_several_names_all_have_to_be_hopeless_if_one_is_enough() -> None:
    for is_any in (False, True):
        wait = waiting("shop", "pets", is_any=is_any)
        wait.take(register(BAD))
        for host in ("a", "b"):
            wait.take(heard(host, shop={"is": False}, pets={"is": False}))
        assert bool(wait.hopeless()) != is_any


def test_what_goes_is_never_hopeless() -> None:
    wait = Wait(("shop",), Goal("gone"), hosts={"a"})
    wait.take(register(BAD))
    wait.take(heard("a", shop={"is": False}))
    assert not wait.hopeless()


def test_a_document_says_what_each_host_lacks() -> None:
    wait = waiting()
    wait.take(heard("a", shop=UP))
    wait.take(heard("b", shop=DOWN))
    assert wait.document(after_s=3.0) == {
        "for": "ready=1",
        "names": [
            {
                "name": "shop",
                "is": False,
                "after_s": 3.0,
                "hosts": {"a": "", "b": "10.0.0.1:80 is DOWN: L7STS/503"},
            }
        ],
    }


def test_a_reason_names_its_place_once() -> None:
    assert said_at({"where": "shop", "text": "shop publishes no port"}) == "shop publishes no port"
    assert said_at({"where": "shop:80", "text": "port 80 is not"}) == "shop:80: port 80 is not"
