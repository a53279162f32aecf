"""Which flags make sense, whom a wish is in the way of, and how it is said."""

from typing import Any

import pytest

from catalog.errors import Rejected
from catalog.keys import OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing
from ctl.intercepts.wish import (
    Wish,
    calls_text,
    hosts_text,
    intercept_rows,
    rivals,
    wish_of,
    with_port,
)
from ctl.view.published import Published
from tests.parts.records import instance, web


def override(**fields: Any) -> Override:
    return Override(**{"by": "anna@box", "to": "192.0.2.77:9000", **fields})


def wish(
    name: str = "orders", header: str = "", path: str = "", only: str = "", **flags: bool
) -> Wish:
    return wish_of(
        name, header, path, filter(None, only.split(",")), **{"all_calls": False, **flags}
    )


def test_a_wish_is_read() -> None:
    assert wish("orders:80", header="x-dev=anna") == Wish("orders", 80, "x-dev=anna")
    assert wish(path="/api", only="host/b,a") == Wish("orders", None, "", "/api", ("a", "b"))
    assert wish(all_calls=True) == Wish("orders")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "none is given"),
        ({"header": "a=b", "path": "/c"}, "--header and --path"),
        ({"header": "x dev=anna"}, "x-dev=anna"),
        ({"header": "x-dev=anna\nx: y"}, "x-dev=anna"),
        ({"header": "x-dev=a;b"}, "x-dev=anna"),
        ({"path": "api"}, "/api"),
        ({"path": "/a b"}, "/api"),
        ({"name": "Orders", "path": "/a"}, "not a service"),
        ({"name": "orders:99999", "path": "/a"}, "not a service"),
        ({"path": "/a", "only": "host/a b"}, "not a host"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        wish(**given)  # type: ignore[arg-type]


def test_a_port_is_found_or_asked_for() -> None:
    published = [
        Published("h1", web(1, "orders")),
        Published("h1", web(2, "shop", service_port=80)),
        Published("h2", web(3, "shop", service_port=81)),
        Published("h1", instance(4, "db")),
    ]
    assert with_port(wish(path="/a"), published).port == 8000
    assert with_port(wish("shop:81", path="/a"), published).port == 81
    with pytest.raises(Rejected, match="shop:80, shop:81"):
        with_port(wish("shop", path="/a"), published)
    with pytest.raises(Rejected, match="has no port 5; it has 8000"):
        with_port(wish("orders:5", path="/a"), published)
    with pytest.raises(Rejected, match="tcp mode"):
        with_port(wish("db", path="/a"), published)
    assert with_port(wish("db", all_calls=True), published).port == 8000


def test_rivals_want_the_same_calls_on_some_same_host() -> None:
    there = {
        OverrideKey("orders", "2"): Standing(override(header="X-Dev=anna"), "", 2, leased=True),
        OverrideKey("orders", "1"): Standing(override(path="/api/"), "", 1, leased=True),
        OverrideKey("orders", "3"): Standing(override(only=("a",), port=80), "", 3, leased=True),
        OverrideKey("pets", "4"): Standing(override(path="/api"), "", 4, leased=True),
        OverrideKey("orders", "5"): Standing(None, "broken", 5, leased=True),
    }

    def found(**fields: Any) -> list[str]:
        return [key.id for key in rivals(there, "orders", override(**fields))]

    assert found(header="x-dev=anna") == ["2"]
    assert found(header="x-dev=Anna") == []
    assert found(path="/api") == ["1"]
    assert (found(only=("b",)), found(only=("a", "b")), found(port=81), found()) == (
        [], ["3"], [], ["3"],
    )  # fmt: skip


def test_it_is_said() -> None:
    assert calls_text(override(header="x-dev=anna")) == "calls with x-dev=anna"
    assert calls_text(override(path="/api")) == "calls below /api"
    assert calls_text(override(path="/")) == calls_text(override()) == "all calls"
    assert (hosts_text(["h1"]), hosts_text({"a", "b"})) == ("h1", "2 hosts")

    standing = Standing(override(path="/api", port=80, why="new prices"), "", 1, leased=True)
    [row] = intercept_rows({OverrideKey("orders", "ab12"): standing}, 0)
    assert (row["service"], row["calls"], row["hosts"]) == ("orders:80", "below /api", "all")
