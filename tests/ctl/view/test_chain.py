"""The way of the data: each step has its sign, code and remedy, and the end says who is reached."""

from typing import Any

from catalog.asking.answer import Answer
from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.chain import chain_of, lines_of
from ctl.view.published import Published
from tests.parts.records import instance

SERVER = {"role": "real", "instance": "77de:80", "address": "10.0.0.1:1", "state": "UP"}
LISTENER = {"service": "shop", "listens": ["127.0.0.1:8080"], "mode": "http"}
CONTAINER = {
    "name": "shop",
    "container": "77de",
    "image": "shop:7",
    "status": "running",
    "published": [],
    "refused": [{"code": "NO_PUBLISHED_PORT", "where": "shop:80", "text": "not published"}],
}
FLEET = Fleet(owners=frozenset({"a"}))


def discover(host: str, *rows: dict[str, Any], **facts: Any) -> Heard:
    laid_out = {"listeners": [LISTENER], "revision": 7} | facts
    return Heard(host, "discover", Answer(facts=laid_out, rows=rows), 0.1, 7)


def nothing(host: str, side: Any) -> Heard:
    return Heard(host, side, Answer("nothing", "nothing of it"), 0.1, 7)


def register(*rows: dict[str, Any]) -> Heard:
    return Heard("a", "register", Answer(rows=rows), 0.1, 7)


def test_what_is_refused_on_one_host_is_explained() -> None:
    chain = chain_of([register(CONTAINER), nothing("b", "discover")], FLEET, ())
    assert not chain.is_reached
    assert list(lines_of(chain)) == [
        "✓ a  container shop 77de (shop:7) is running",
        "✗ a  NO_PUBLISHED_PORT  shop:80: not published",
        "       helps: start it with -P, or with -p and its port",
        "       docs/reasons.md#NO_PUBLISHED_PORT",
        "–    not reached: address, ready, key in etcd, listener, server, check",
    ]


def test_all_hosts_have_to_be_reached() -> None:
    records = [Published("a", instance(1, "shop"))]
    well = chain_of([discover("a", SERVER), discover("b", SERVER)], FLEET, (), records)
    assert well.is_reached
    assert [step.mark for step in well.steps] == ["✓"] * 8
    assert "stands in etcd as shop" in well.steps[0].text
    assert "the host's lease is alive" in well.steps[1].text

    down = SERVER | {"state": "DOWN", "check": "L4CON", "said": "refused"}
    ill = chain_of([discover("a", SERVER), discover("b", down)], FLEET, ["c"])
    assert ill.hosts == {"a": True, "b": False, "c": False}
    assert "is DOWN: L4CON refused" in ill.steps[-2].text


def test_a_host_that_is_away_is_said() -> None:
    chain = chain_of([], Fleet(), (), [Published("z", instance(1, "shop"))])
    assert "suspects" in chain.steps[1].text


def test_a_key_is_shown_without_its_beginning() -> None:
    refused = {"code": "ADDRESS_REUSED", "where": "/s/v1/hosts/a/instances/shop/77:80", "text": "x"}
    chain = chain_of([discover("a", refused=[refused])], FLEET, ())
    assert chain.steps[0].text == "shop/77:80: x"
    assert chain.steps[-1].text == "no instance is laid out"


def test_nobody_knows_it() -> None:
    assert not chain_of([nothing("a", "discover"), nothing("a", "register")], FLEET, ()).is_known
