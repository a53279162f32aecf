"""Who is there to be asked, who is too old to answer, and what of it cannot be read."""

from catalog.asking import presence, refusals
from catalog.asking.ask import APPLIED, EXPLAIN, Ask
from catalog.asking.presence import Presence
from catalog.asking.said_keys import refused_key
from catalog.entries import Entry
from catalog.keys import OwnerKey, ProxyKey, key_of
from ctl.fleet import Fleet, fleet_of

PREFIX = "/services"


def entry(key: str, value: bytes) -> Entry:
    return Entry(key, value, 1, 1, 1)


def fleet() -> Fleet:
    """Host a is new; b has an older docker-discover, c an older docker-register and a bad key."""
    hosts = [entry(key_of(PREFIX, OwnerKey(host)), b"whatever") for host in ("a", "b", "c")] + [
        entry(key_of(PREFIX, ProxyKey("a")), presence.encode(Presence(kinds=(APPLIED, EXPLAIN)))),
        entry(key_of(PREFIX, ProxyKey("b")), presence.encode(Presence(kinds=(APPLIED,)))),
        entry(key_of(PREFIX, ProxyKey("c")), b"{"),
        entry(f"{PREFIX}/v1/hosts/a/instances/web/x", b"{"),
    ]
    said = [
        entry(refused_key(PREFIX, host), refusals.encode((), (EXPLAIN,)))
        for host in ("a", "b", "z")
    ]
    return fleet_of(PREFIX, hosts, [*said, entry(f"{PREFIX}/said/a/answers/x/discover", b"{")])


def test_who_can_answer() -> None:
    assert fleet().able(Ask(APPLIED)) == {("a", "discover"), ("b", "discover")}
    assert fleet().able(Ask(EXPLAIN)) == {("a", "discover"), ("a", "register"), ("b", "register")}
    assert fleet().able(Ask(EXPLAIN, hosts=("a",)), ("register",)) == {("a", "register")}


def test_who_is_too_old() -> None:
    assert fleet().unable(Ask(EXPLAIN)) == {("b", "discover"), ("c", "register")}
    assert fleet().unable(Ask(APPLIED)) == frozenset()
    assert fleet().unable(Ask("weather")) == {("a", "discover"), ("b", "discover")}


def test_what_cannot_be_read_is_named() -> None:
    assert list(fleet().unreadable) == [key_of(PREFIX, ProxyKey("c"))]
