"""Which holds are to be written, and which of those that a store lost still count."""

from collections.abc import Mapping, Set
from copy import deepcopy
from dataclasses import replace

import pytest

from catalog.errors import Rejected
from catalog.keys import HoldKey, key_of, parse_key
from catalog.records.origin import of_compose
from discover.claims.due import Due, Known, due
from discover.claims.hand_over import hold_key
from discover.claims.uses import Uses, domain_of
from discover.snapshot.saved_format import Origin, Saved, Texts, decode, encode
from discover.snapshot.snapshot import EMPTY, Snapshot
from discover.snapshot.state import State, learn, started
from tests.parts.catalogs import UNTIL, FakeEtcd
from tests.parts.records import PREFIX, instance, web

PORT = HoldKey("port", "8000")
ALPHA, BETA = instance(1, "alpha"), instance(2, "beta")


def listed(etcd: FakeEtcd) -> State:
    return learn(started(EMPTY, {}), *etcd.relist(), 0.0)


def decided(
    state: State,
    holders: Mapping[int, str] | None = None,
    domain: str = "",
    unreadable: Set[HoldKey] = frozenset(),
    unread: Set[str] = frozenset(),
) -> Due:
    uses = Uses(domain).of(state.view.services)
    known = Known(state.view, state.stored, uses, domain, holders or {}, unreadable, unread)
    return due(known)


def test_the_oldest_of_those_that_ask_gets_a_port_unless_one_has_it_on_this_host() -> None:
    state = listed(FakeEtcd().claim("h1").put("h1", BETA).put("h1", ALPHA))

    assert decided(state) == Due({PORT: "beta"}, {}, {}, {})
    assert decided(state, {8000: "alpha"}).new == {PORT: "alpha"}
    assert decided(state, {8000: "gone"}).new == {PORT: "beta"}


def test_what_is_held_is_left_alone_while_its_holder_is_there() -> None:
    state = listed(FakeEtcd().claim("h1").put("h1", BETA).put("h1", ALPHA).hold(PORT, "alpha"))

    assert decided(state, {8000: "beta"}) == Due({}, {}, {}, {})


def test_a_hold_of_a_holder_that_left_is_idle_and_one_that_is_back_loses_its_lease() -> None:
    etcd = FakeEtcd().claim("h1").put("h1", BETA).hold(PORT, "alpha")
    gone = decided(listed(etcd))
    assert (gone.new, gone.back, [*gone.idle]) == ({}, {}, [PORT])

    leased = listed(etcd.hold(PORT, "alpha", UNTIL))
    assert decided(leased) == Due({}, {}, {}, {})

    back = decided(listed(etcd.put("h1", ALPHA)))
    assert (back.new, [*back.back], back.idle) == ({}, [PORT], {})


def test_a_service_that_names_another_port_lets_go_of_the_first() -> None:
    moved = replace(ALPHA, service_port=8001)
    state = listed(FakeEtcd().claim("h1").put("h1", moved).hold(PORT, "alpha"))

    found = decided(state)

    assert (found.new, [*found.idle]) == ({HoldKey("port", "8001"): "alpha"}, [PORT])


def test_a_suspect_keeps_its_hold_but_does_not_take_it_from_its_lease() -> None:
    etcd = FakeEtcd().claim("h1", "h2").put("h1", ALPHA).put("h2", BETA).hold(PORT, "alpha")
    state = listed(etcd)
    state = learn(state, *etcd.expire("h1").step(), 1.0)
    assert "alpha" in state.view.services
    assert decided(state) == Due({}, {}, {}, {})

    state = learn(state, *etcd.hold(PORT, "alpha", UNTIL).step(), 2.0)
    assert decided(state) == Due({}, {}, {}, {})
    state = learn(state, *etcd.claim("h1").put("h1", ALPHA).step(), 3.0)
    assert [*decided(state).back] == [PORT]


def test_a_port_from_the_range_needs_no_hold_and_no_one_else_holds_it() -> None:
    auto = instance(1, "auto", service_port=None)
    etcd = FakeEtcd().claim("h1").put("h1", auto).port("auto", 8000).put("h1", BETA)

    assert decided(listed(etcd)) == Due({}, {}, {}, {})


def test_host_names_paths_and_default_names_are_held() -> None:
    shop, blog = of_compose("shop", "db"), of_compose("blog", "db")
    etcd = FakeEtcd().claim("h1")
    etcd.put("h1", web(1, "api", hosts=("a.test", "*.b.test"), paths=("/x", "/y/")))
    etcd.put("h1", instance(2, "db", service_port=8001, origin=shop))
    etcd.put("h1", instance(3, "db", service_port=8001, origin=blog))

    assert decided(listed(etcd), domain="apps.test").new == {
        PORT: "api",
        HoldKey("host", "a.test/x/"): "api",
        HoldKey("host", "a.test/y/"): "api",
        HoldKey("host", "*.b.test/x/"): "api",
        HoldKey("host", "*.b.test/y/"): "api",
        HoldKey("host", "api.apps.test/"): "api",
        HoldKey("port", "8001"): "db",
        HoldKey("name", "db"): shop,
    }


def test_a_host_of_another_domain_leaves_a_services_own_name_alone() -> None:
    """Or two hosts would write one hold to and fro."""
    key = HoldKey("host", "shop.apps.test/")
    etcd = FakeEtcd().claim("h1").put("h1", web()).hold(PORT, "shop")
    state = listed(etcd.hold(key, "shop", domain="apps.test"))

    assert decided(state, domain="other.test").idle == {}
    assert decided(state, domain="").idle == {}
    assert decided(state, domain="apps.test").idle == {}

    gone = listed(etcd.delete("h1", web()))
    assert key in decided(gone, domain="other.test").idle


def test_a_service_lets_go_of_a_declared_name_that_only_looks_like_its_own() -> None:
    key = HoldKey("host", "shop.example.com/")
    etcd = FakeEtcd().claim("h1").put("h1", web()).hold(PORT, "shop").hold(key, "shop")

    assert [*decided(listed(etcd)).idle] == [key]
    assert domain_of(key, "shop", "example.com") == "example.com"
    assert domain_of(key, "shop", "example") == domain_of(key, "sho", "example.com") == ""


def test_every_name_that_is_held_has_a_key_that_can_be_read() -> None:
    paths = ("/" + "p" * 254, "//", "/a//b/", "/a/../b")
    records = web(1, "a" * 63, paths=paths), web(2, "b", hosts=("x.test", "*.y.test"), paths=paths)
    etcd = FakeEtcd().claim("h1").put("h1", web(3, "c" * 63, service_port=8001), *records)

    for domain in ("apps.test", ".".join(["d" * 60] * 4)):
        for key in decided(listed(etcd), domain=domain).new:
            assert parse_key(PREFIX, key_of(PREFIX, key)) == key


def test_a_hold_that_cannot_be_read_is_never_written_over() -> None:
    state = listed(FakeEtcd().claim("h1").put("h1", ALPHA))

    assert decided(state, unreadable={PORT}) == Due({}, {}, {}, {})


def test_a_service_whose_record_is_for_another_version_keeps_what_it_has() -> None:
    """Or an older docker-discover and a newer one would write to and fro."""
    state = listed(FakeEtcd().claim("h1").garble("h1", ALPHA).hold(PORT, "alpha"))

    assert [*decided(state).idle] == [PORT]
    assert decided(state, unread={"alpha"}).idle == {}


def test_a_suspect_takes_nothing_that_is_free() -> None:
    etcd = FakeEtcd().claim("h1", "h2").put("h1", ALPHA)
    state = learn(listed(etcd), *etcd.expire("h1").step(), 1.0)

    assert "alpha" in state.view.services
    assert decided(state) == Due({}, {}, {}, {})


# What the store lost


def held(state: State) -> dict[HoldKey, str]:
    return {key: it.holder for key, it in state.view.holds.items()}


def test_holds_that_a_store_lost_with_all_else_count_on_and_are_written_again() -> None:
    absent = HoldKey("port", "9000")
    etcd = FakeEtcd().claim("h1", "h2").put("h1", ALPHA).hold(PORT, "alpha").hold(absent, "away")
    state = learn(listed(etcd), *etcd.replace().relist(), 1.0)

    assert held(state) == {PORT: "alpha", absent: "away"}
    assert decided(state).new == {PORT: "alpha", absent: "away"}

    # One is back, the other is on its way.
    state = learn(state, *etcd.hold(PORT, "alpha").step(), 2.0)
    assert decided(state).new == {absent: "away"}
    state = learn(state, *etcd.hold(absent, "newer").step(), 3.0)
    assert held(state) == {PORT: "alpha", absent: "newer"}


def test_a_store_restored_from_a_backup_gives_nothing_to_a_holder_of_an_earlier_day() -> None:
    freed = HoldKey("port", "9000")
    backup = FakeEtcd().claim("h1").put("h1", ALPHA).hold(PORT, "beta").hold(freed, "away")
    etcd = deepcopy(backup).let_go(PORT, freed).hold(PORT, "alpha")
    state = listed(etcd)
    backup.seen = etcd.seen

    state = learn(state, *backup.relist(), 1.0)
    assert held(state) == {PORT: "alpha", freed: "away"}
    found = decided(state)
    assert (found.new, [*found.idle]) == ({PORT: "alpha"}, [freed])
    assert found.instead == {PORT: state.stored.holds[PORT]}

    # Whoever writes it later has the last word.
    state = learn(state, *backup.hold(PORT, "newer").step(), 2.0)
    assert held(state)[PORT] == "newer"
    assert decided(state).new == {}


@pytest.mark.parametrize("listing", [True, False])
def test_a_hold_that_is_gone_alone_counts_no_more(listing: bool) -> None:
    etcd = FakeEtcd().claim("h1").put("h1", BETA).hold(PORT, "alpha", UNTIL)
    state = listed(etcd)
    etcd.let_go(PORT)
    state = learn(state, *(etcd.relist() if listing else etcd.step()), 1.0)

    assert held(state) == {}
    assert decided(state).new == {PORT: "beta"}


def test_holds_survive_in_the_file_of_the_last_snapshot() -> None:
    route = HoldKey("host", "a.test/x/")
    etcd = FakeEtcd().claim("h1").put("h1", ALPHA).hold(PORT, "alpha").hold(route, "away", UNTIL)
    catalog = etcd.relist()[0]
    origin = Origin("h1", PREFIX, ("127.0.0.1:2379",))

    text = encode(Saved(catalog, {}, "h1"), origin, 0.0, Texts())
    saved = decode(text.encode(), origin, 0.0).catalog

    assert unwritten(saved) == unwritten(catalog)
    with pytest.raises(Rejected, match="checksum"):
        decode(text.replace("alpha", "gamma").encode(), origin, 0.0)


def unwritten(snapshot: Snapshot) -> dict[HoldKey, object]:
    return {key: replace(it, modified=0) for key, it in snapshot.holds.items()}


# What a person names


@pytest.mark.parametrize(
    ("thing", "key"),
    [
        ("8080", HoldKey("port", "8080")),
        ("shop.example.com", HoldKey("host", "shop.example.com/")),
        ("Shop.example.com/Api/", HoldKey("host", "shop.example.com/Api/")),
        ("*.example.com", HoldKey("host", "*.example.com/")),
        ("shop/", HoldKey("host", "shop/")),
        ("db", HoldKey("name", "db")),
    ],
)
def test_what_a_person_names_is_read(thing: str, key: HoldKey) -> None:
    assert hold_key(thing) == key


@pytest.mark.parametrize("thing", ["", "0", "65536", "/api", "a b.test", "Db_", "-.x/"])
def test_what_is_neither_a_port_nor_a_name_is_refused(thing: str) -> None:
    with pytest.raises(Rejected, match="is neither a port such as 8080"):
        hold_key(thing)
