"""The door: which name leads where, which service takes a spare backend, what a page says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from catalog.keys import HoldKey
from catalog.records.record import Check, Instance
from discover.apply.plan import (
    RouteChange,
    RuntimeUpdate,
    keeping_structure,
    route_changes,
    step_to,
)
from discover.apply.runtime import route_commands
from discover.haproxy.replies import Mismatch
from discover.model.build import build
from discover.model.empty_services import with_empty_services, with_held_routes
from discover.model.http_routes import door_map, route_keys, url_of
from discover.model.ownership import Listening
from discover.model.proxy_config import Bind, Listener, ProxyConfig
from discover.model.spare_backends import (
    FEWEST,
    in_spare_backends,
    is_spare_backend,
    under_own_names,
    with_spare_backends,
)
from discover.pages.text import empty, host_of, near_to, unknown
from discover.settings import settings_of
from sidecar.options import WrongSettings
from tests.parts.catalogs import UNTIL, FakeEtcd
from tests.parts.configs import AT_DOOR, DOOR, LAYOUT, POLICY
from tests.parts.records import instance, snapshot, web


def built(*records: Instance) -> ProxyConfig:
    return build(snapshot(*records), AT_DOOR)[0]


def routes(*records: Instance) -> Mapping[str, str]:
    return door_map(built(*records))


def codes(*records: Instance) -> dict[str, str]:
    return {
        where.rpartition("/")[2]: problem.code
        for where, problem in build(snapshot(*records), AT_DOOR)[1].items()
    }


@pytest.mark.parametrize(
    ("hosts", "paths", "keys"),
    [
        ((), (), []),
        (("shop.example",), (), ["shop.example/"]),
        (("a.example", "*.b.example"), (), ["a.example/", "*.b.example/"]),
        (("a.example",), ("/api", "/v1/"), ["a.example/api/", "a.example/v1/"]),
        (("a.example",), ("/",), ["a.example/"]),
        ((), ("/api",), ["shop.apps.test/api/"]),
    ],
)
def test_a_record_leads_from_its_hosts_and_paths(
    hosts: tuple[str, ...], paths: tuple[str, ...], keys: list[str]
) -> None:
    assert list(route_keys(web(hosts=hosts, paths=paths), "apps.test")) == keys


def test_a_service_is_known_by_its_name_unless_it_only_wants_paths_of_it() -> None:
    assert routes(web(hosts=("shop.example",))) == {
        "shop.example/": "shop:8000",
        "shop.apps.test/": "shop:8000",
    }
    assert routes(web(paths=("/api",))) == {"shop.apps.test/api/": "shop:8000"}


def test_the_first_port_of_a_service_has_its_name() -> None:
    first, second = web(1, service_port=9000), web(2, service_port=8000, hosts=("second.example",))

    assert routes(first, second) == {"shop.apps.test/": "shop:9000", "second.example/": "shop:8000"}


def test_the_oldest_record_keeps_a_host() -> None:
    old, new = (
        web(1, "old", hosts=("a.example",)),
        web(2, "new", hosts=("a.example", "b.example"), service_port=9000),
    )

    assert routes(old, new) == {
        "a.example/": "old:8000",
        "b.example/": "new:9000",
        "new.apps.test/": "new:9000",
        "old.apps.test/": "old:8000",
    }
    assert codes(old, new) == {"": "HOST_CLAIMED"}


def test_hosts_need_http() -> None:
    assert codes(instance(1, "db", hosts=("db.example",))) == {
        "000000000001:8000 hosts": "HOSTS_NEED_HTTP"
    }
    assert routes(instance(1, "db", hosts=("db.example",))) == {}


def test_without_a_door_nothing_is_said_of_hosts() -> None:
    config, problems = build(snapshot(instance(1, "db", hosts=("db.example",))), POLICY)

    assert (problems, [listener.routes for listener in config.listeners]) == ({}, [()])


def test_a_service_whose_port_is_anothers_is_reached_by_its_name() -> None:
    config, problems = build(snapshot(web(1, "old"), web(2, "new")), AT_DOOR)

    assert [(listener.name, bool(listener.binds)) for listener in config.listeners] == [
        ("new:8000:door", False),
        ("old:8000", True),
    ]
    [problem] = problems.values()
    assert (problem.code, problem.quiet) == ("PORT_CLAIMED", True)
    assert "it is reached at http://new.apps.test:8080/" in problem.text


def test_who_is_reached_by_name_takes_no_port_of_a_service_that_is_only_empty() -> None:
    listening = Listening({8000: "gone"})

    [listener] = build(snapshot(web()), AT_DOOR, listening=listening)[0].listeners

    assert listener.name == "shop:8000:door"
    assert build(snapshot(web()), POLICY, listening=listening)[0].listeners == ()


@pytest.mark.parametrize(
    ("flags", "bind", "domain"),
    [
        ((), None, ""),
        (("--http-bind", "80"), (None, 80), ""),
        (("--http-bind", "*:8080", "--domain", ".Apps.Test."), ("*", 8080), "apps.test"),
        (("--http-bind", "[::1]:80", "--domain", "off"), ("::1", 80), ""),
    ],
)
def test_settings(
    flags: tuple[str, ...], bind: tuple[int | None, ...] | tuple[int | str, ...] | None, domain: str
) -> None:
    settings = settings_of(flags, {})

    assert (settings.http_bind, settings.domain) == (bind, domain)


@pytest.mark.parametrize(
    "flags",
    [
        ("--http-bind", "0"),
        ("--http-bind", "x:80"),
        ("--domain", "a.b"),
        ("--http-bind", "1", "--domain", "a_b"),
    ],
)
def test_wrong_settings(flags: tuple[str, ...]) -> None:
    with pytest.raises(WrongSettings):
        settings_of(flags, {})


def test_the_doors_own_port_is_nobodys() -> None:
    config, problems = build(snapshot(web(service_port=8080)), AT_DOOR)

    assert [listener.name for listener in config.listeners] == ["shop:8080:door"]
    assert problems["shop:8080"].code == "PORT_RESERVED"
    assert config.binds == {Bind("127.0.0.1", 1936), Bind("127.0.0.1", 8080)}


def test_a_door_that_cannot_be_opened_is_told() -> None:
    config, problems = build(snapshot(web()), replace(AT_DOOR, unusable={DOOR.binds[0]: "busy"}))

    assert (config.process.door, problems["HTTP_BIND on 127.0.0.1"].code) == (None, "PORT_IN_USE")


def test_a_url_is_one_that_can_be_typed() -> None:
    assert url_of(DOOR, ("*.a.example/", "b.example/x/")) == "http://b.example:8080/x/"
    assert url_of(replace(DOOR, binds=(Bind("*", 80),)), ("b.example/",)) == "http://b.example/"


def test_canaries_are_keys_of_a_backend_and_a_header() -> None:
    config = with_spare_backends(built(web(1, canary="X-Canary=on")))

    assert door_map(config)["shop:8000?x-canary=on/"] == "shop:8000:canary"
    assert config.process.door
    assert config.process.door
    assert config.process.door.headers == ("x-canary",)


def names(config: ProxyConfig) -> dict[str, str]:
    return {listener.service: listener.name for listener in config.listeners if listener.service}


def test_a_service_that_comes_takes_an_empty_backend_and_keeps_it() -> None:
    running = with_spare_backends(built(web(1, "first")))
    assert sum(is_spare_backend(listener) for listener in running.listeners) == FEWEST

    then = in_spare_backends(built(web(1, "first"), web(2, "second")), running)
    later = in_spare_backends(built(web(1, "first"), web(2, "second"), web(3, "third")), then)

    assert names(then) == {"first": "first:8000", "second": "seat-1"}
    assert names(later) == {"first": "first:8000", "second": "seat-1", "third": "seat-2"}
    assert door_map(later)["second.apps.test/"] == "seat-1"
    assert {each.name for each in later.listeners} == {each.name for each in running.listeners}
    assert names(under_own_names(later)) == {
        "first": "first:8000",
        "second": "second:8000:door",
        "third": "third:8000:door",
    }
    assert keeping_structure(running, later) == later


def test_what_did_not_change_in_a_seat_is_the_same_object() -> None:
    running = with_spare_backends(built(web(1, "first")))
    once = in_spare_backends(built(web(1, "first"), web(2, "second")), running)
    again = in_spare_backends(built(web(1, "first"), web(2, "second")), once)

    def seat_of(config: ProxyConfig) -> Listener:
        return next(listener for listener in config.listeners if listener.name == "seat-1")

    assert seat_of(once) is seat_of(again)


def test_a_service_with_wishes_of_its_own_takes_none() -> None:
    running = with_spare_backends(built(web(1, "first")))

    assert names(
        in_spare_backends(built(web(1, "first"), web(2, "second", balance="leastconn")), running)
    )["second"] == ("second:8000:door")


@pytest.mark.parametrize(
    "asked",
    [
        {"proto": "h2c"},
        {"check": Check("none")},
        {"check": Check("tcp", interval_ms=500)},
        {"maxconn": 5},
    ],
)
def test_what_only_its_servers_have_is_no_wish(asked: dict[str, Any]) -> None:
    running = with_spare_backends(built(web(1, "first")))
    config = in_spare_backends(built(web(1, "first"), web(2, "second", **asked)), running)

    assert names(config)["second"] == "seat-1"
    assert isinstance(step_to(LAYOUT.render(config), LAYOUT.render(running)), RuntimeUpdate)


@pytest.mark.parametrize(
    "asked",
    [
        {"sticky": "cookie"},
        {"check": Check("http")},
        {"timeout_ms": 500},
        {"check": Check(timeout_ms=500)},
    ],
)
def test_what_its_backend_has_is_one(asked: dict[str, Any]) -> None:
    running = with_spare_backends(built(web(1, "first")))

    assert (
        names(in_spare_backends(built(web(1, "first"), web(2, "second", **asked)), running))[
            "second"
        ]
        == "second:8000:door"
    )


def test_a_service_that_comes_to_want_more_stays_until_the_reload() -> None:
    running = in_spare_backends(
        built(web(1, "first"), web(2, "second")), with_spare_backends(built(web(1, "first")))
    )
    changed = in_spare_backends(
        built(web(1, "first"), web(2, "second", balance="leastconn")), running
    )

    assert {"seat-1", "second:8000:door"} <= {
        each.name for each in changed.listeners if each.service
    }
    assert keeping_structure(running, changed) == running


def test_there_are_more_empty_backends_where_there_are_more_services() -> None:
    many = built(*(web(n, f"s{n}") for n in range(1, 201)))

    assert (
        sum(is_spare_backend(listener) for listener in with_spare_backends(many).listeners) == 128
    )


def test_an_empty_service_keeps_its_names_and_gives_up_those_that_another_has() -> None:
    empty_services = built(web(1, "gone", hosts=("a.example",))).listeners
    config = with_empty_services(built(web(2, "here", hosts=("a.example",))), empty_services)

    assert door_map(config) == {
        "a.example/": "here:8000",
        "gone.apps.test/": "gone:8000:door",
        "here.apps.test/": "here:8000",
    }


def test_changes_of_the_map_are_commands() -> None:
    changes = route_changes({"a/": "x", "b/": "x", "c/": "x"}, {"a/": "x", "b/": "y", "d/": "x"})

    assert [str(change) for change in changes] == ["b/ to y", "-c/", "d/ to x"]
    assert route_commands(changes, "m") == ("set map m b/ y", "del map m c/", "add map m d/ x")
    with pytest.raises(Mismatch):
        route_commands((RouteChange("a/;quit", None, "x"),), "m")


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Shop.Example:8080", "shop.example"),
        ("shop.example.", "shop.example"),
        ("[::1]:80", "[::1]"),
        ("", ""),
        ("a\tb", "a?b"),
    ],
)
def test_the_host_that_was_asked_for(header: str, host: str) -> None:
    assert host_of(header) == host


HOSTS = (
    "orders.apps.test",
    "order.example",
    "bills.apps.test",
    "*.apps.test",
    "my-orders.apps.test",
)


def test_what_is_near() -> None:
    assert near_to("order.apps.test", HOSTS, lambda: True) == [
        "orders.apps.test",
        "my-orders.apps.test",
        "order.example",
    ]
    assert near_to("order.apps.test", HOSTS, lambda: False) == []


def test_a_page_shows_what_was_asked_for_as_text_only() -> None:
    page = unknown("<b>.test", ":8080", ["<b>s.test/"], lambda: True)

    assert page.status == 404
    assert "<b>" not in page.html()
    assert "&lt;b&gt;s.test:8080" in page.html()


def test_who_runs_in_tcp_mode_is_told_apart_from_who_is_not_known() -> None:
    page = unknown(
        "whoami.apps.example", "", ["bill.apps.example/"], lambda: True, ["db", "whoami"]
    )

    assert page.status == 404
    assert "whoami runs, but in tcp mode" in page.text()
    assert "SERVICE_MODE=http" in page.text()


def test_a_path_that_nobody_has_names_those_that_are() -> None:
    keys = ["a.example/api/", "*.example/v1/", "b.example/"]

    assert unknown("a.example", "", keys, lambda: True).text() == (
        "No service has this path on a.example\nIts paths are /api, /v1.\n"
    )


def test_an_empty_service_says_since_when_and_where_it_was() -> None:
    [listener] = built(web()).listeners
    gone = replace(listener, servers=())

    assert empty(gone, since="now", last=listener).lines == (
        "It has had none since now.",
        "The last one was at 10.0.0.1 port 32001, in container 000000000001.",
    )
    assert empty(gone, since="now", last=gone).lines == (
        "It had none when docker-discover started, now.",
    )
    assert empty(gone, since=None, last=None).lines == ("It is not known since when.",)
    assert "10.0.0.1 port 32001" in empty(listener, since=None, last=None).lines[0]


def test_headers_of_canaries_stay_until_the_reload() -> None:
    running = with_spare_backends(built(web(1, canary="X-Canary=on")))

    door = in_spare_backends(built(web(1)), running).process.door
    assert door
    assert door.headers == ("x-canary",)


def test_nobody_answers_at_a_route_that_is_held_and_not_asked_for() -> None:
    """Neither a wildcard nor a shorter path of another service."""
    etcd = FakeEtcd().claim("h1").put("h1", web(1, "wild", hosts=("*.test", "a.test")))
    etcd.put("h1", web(2, "there", service_port=8001, hosts=("new.test",)))
    etcd.hold(HoldKey("host", "old.test/"), "there")
    etcd.hold(HoldKey("host", "a.test/api/"), "away", UNTIL)
    etcd.hold(HoldKey("host", "b.test/"), "gone", UNTIL)
    given = etcd.relist()[0]

    config = with_held_routes(build(given, AT_DOOR)[0], given.holds)
    led = door_map(config)

    assert led["old.test/"] == "unknown"
    assert led["a.test/"] == led["*.test/"] == "wild:8000"
    [at_away] = [it for it in config.listeners if it.name == led["a.test/api/"]]
    assert (at_away.servers, at_away.binds) == ((), ())
    assert at_away.routes == ("a.test/api/", "b.test/"), "one backend, however many are away"
    page = empty(at_away, since=None, last=None)
    assert (page.status, page.title.split()[-4:]) == (503, ["has", "no", "instance", "now"])


def test_a_route_leads_to_its_holder_and_to_nobody_else() -> None:
    route = HoldKey("host", "a.test/")
    etcd = FakeEtcd().claim("h1").put("h1", web(1, "old", hosts=("a.test",)))
    etcd.put("h1", web(2, "new", service_port=8001, hosts=("a.test",))).hold(route, "new")

    config, problems = build(etcd.relist()[0], AT_DOOR)

    assert door_map(config)["a.test/"] == "new:8001"
    assert "belongs to new since" in problems["old at a.test/"].text
    assert "docker-discover --hand-over a.test/=old" in problems["old at a.test/"].text

    config, problems = build(etcd.hold(route, "away", UNTIL).relist()[0], AT_DOOR)
    assert "a.test/" not in door_map(config)
    assert {it.code for it in problems.values()} == {"HOST_CLAIMED"}
