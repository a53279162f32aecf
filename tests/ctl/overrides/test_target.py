"""What a name means, and which overrides are about exactly that."""

import pytest

from catalog.errors import Rejected
from catalog.keys import EVERY_SERVICE, OVERRIDE_ID, OverrideKey
from catalog.overrides.override import Override
from ctl.overrides.target import NotThere, Target, target_of
from ctl.view.published import Published
from tests.parts.records import instance

RECORDS = (
    Published("a", instance(0x7A, "orders"), 1),
    Published("a", instance(0x7B, "orders"), 2),
    Published("b", instance(0x91, "orders"), 3),
    Published("b", instance(0x91, "admin", container_port=9000), 4),
)
HOSTS = frozenset({"a", "b", "c"})
NAME = "000000000091"


def found(word: str) -> Target:
    return target_of(word, RECORDS, HOSTS)


def test_a_host_is_one_override_of_every_service() -> None:
    target = found("host/c")
    assert target.overrides("drain") == ((OverrideKey(EVERY_SERVICE, "drain-host-c"), "", "c"),)
    assert target.arguments == {"host": "c"}


@pytest.mark.parametrize("word", ["orders@a", "orders@host/a"])
def test_a_service_on_a_host_is_one_override(word: str) -> None:
    assert found(word).overrides("drain") == ((OverrideKey("orders", "drain-host-a"), "", "a"),)
    assert found(word).arguments == {"service": "orders", "host": "a"}


@pytest.mark.parametrize("word", [NAME, "000000000091", instance(0x91).container])
def test_a_container_is_one_override_a_port(word: str) -> None:
    target = found(word)
    assert [(key.service, key.id, name) for key, name, _ in target.overrides("weight")] == [
        ("orders", f"weight-{NAME}-8000", f"{NAME}:8000"),
        ("admin", f"weight-{NAME}-9000", f"{NAME}:9000"),
    ]
    assert target.arguments == {"instance": NAME}
    assert all(OVERRIDE_ID.fullmatch(key.id) for key, *_ in target.overrides("weight"))


def test_one_port_of_a_container_and_a_container_by_its_name() -> None:
    target = found(f"{NAME}:9000")
    assert [key.service for key, *_ in target.overrides("drain")] == ["admin"]
    assert target.arguments == {"instance": f"{NAME}:9000"}
    assert found(f"orders-{0x7A}").container == "00000000007a"


def test_only_overrides_of_exactly_this_are_its_own() -> None:
    port = Override(by="a", instance=f"{NAME}:9000", state="draining")
    host = Override(by="a", host="b", state="draining")
    here, every = OverrideKey("orders", "x"), OverrideKey(EVERY_SERVICE, "x")

    assert found(NAME).is_about(OverrideKey("admin", "x"), port)
    assert not found(f"{NAME}:8000").is_about(OverrideKey("admin", "x"), port)
    assert not found(NAME).is_about(every, host)
    assert found("host/b").is_about(every, host)
    assert not found("host/b").is_about(here, host)
    assert found("orders@b").is_about(here, host)
    assert not found("orders@a").is_about(here, host)
    assert not found(NAME).is_about(here, Override(by="a", to="192.0.2.7:1", until_s=9))


def test_a_container_that_went_may_still_have_an_override() -> None:
    target = found("beefbeef")
    assert target.overrides("drain") == []
    gone = Override(by="a", instance="beefbeef0000:80", weight=1)
    assert target.is_about(OverrideKey("orders", "x"), gone)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("orders", "orders is a service, say which of it: orders@HOST, or of 00000000007a on a"),
        ("a", "a is a host: write host/a"),
        ("00000000", "may be any of 00000000007a, 00000000007b, 000000000091, 000000000091"),
    ],
)
def test_what_may_be_several_is_refused(word: str, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        found(word)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("host/aa", "no host aa; near: a"),
        ("order@a", "no order on a; near: orders"),
        ("orders@c", "no orders on c: give host/a"),
        (f"orders-{0x7A}x", f"near: orders-{0x7A}"),
    ],
)
def test_what_is_not_there_has_near_names(word: str, said: str) -> None:
    with pytest.raises(NotThere, match=said):
        found(word)
