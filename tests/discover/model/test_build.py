"""build: which listeners and servers a snapshot makes, and what it leaves out with which reason."""

from dataclasses import replace
from typing import Any

import pytest

from catalog.entries import Listing
from catalog.records.record import Check, Instance
from discover.model.build import BuildMemo, build
from discover.model.ownership import OLDEST, Listening
from discover.model.proxy_config import Bind, HostPolicy
from discover.snapshot.snapshot import EMPTY, Service, Snapshot, snapshot_of
from tests.parts.configs import POLICY, config_of
from tests.parts.records import PREFIX, entry, instance, snapshot


def codes(given: Snapshot, policy: HostPolicy = POLICY) -> dict[str, str]:
    return {where: problem.code for where, problem in build(given, policy)[1].items()}


def test_an_empty_catalog_leaves_the_stats_page() -> None:
    config, problems = build(EMPTY, POLICY)

    assert config.listeners == ()
    assert config.binds == {Bind("127.0.0.1", 1936)}
    assert problems == {}


def test_two_instances_are_two_servers_of_one_listener() -> None:
    [listener] = config_of(snapshot(instance(2), instance(1))).listeners

    assert listener.name == "whoami:8000"
    assert listener.binds == (Bind("127.0.0.1", 8000), Bind("172.17.0.1", 8000))
    assert [(s.name, s.endpoint) for s in listener.servers] == [
        ("000000000001:8000", "10.0.0.1:32001"),
        ("000000000002:8000", "10.0.0.1:32002"),
    ]


def test_the_order_of_records_does_not_matter() -> None:
    one, two, other = instance(1), instance(2), instance(3, "other", service_port=9000)
    forward, backward = snapshot(one, two, other), snapshot(one, two, other)
    backward = replace(backward, services=dict(reversed(list(backward.services.items()))))

    assert config_of(forward) == config_of(backward)


def test_each_service_port_is_a_listener_of_its_own() -> None:
    given = snapshot(
        instance(1), instance(2, service_port=8001), instance(3, "other", service_port=9000)
    )

    assert [item.name for item in config_of(given).listeners] == [
        "other:9000",
        "whoami:8000",
        "whoami:8001",
    ]


def test_an_ipv6_address_stands_in_brackets() -> None:
    [listener] = config_of(snapshot(instance(1, address="fd00::1"))).listeners

    assert listener.servers[0].endpoint == "[fd00::1]:32001"


def test_a_stub_is_backup_and_a_draining_instance_drains() -> None:
    given = snapshot(instance(1, role="stub"), instance(2, state="draining"), instance(3, weight=7))

    stub, draining, real = config_of(given).listeners[0].servers

    assert (stub.backup, draining.backup, real.backup) == (True, False, False)
    assert (stub.draining, draining.draining, real.draining) == (False, True, False)
    assert real.weight == 7


def test_the_oldest_real_instance_speaks_for_the_service() -> None:
    stub = instance(1, role="stub", mode="tcp", timeout_ms=1)
    old = instance(
        2, mode="http", balance="leastconn", timeout_ms=2, check=Check("http", "/health")
    )
    new = instance(3, mode="tcp", balance="random", timeout_ms=3)

    [listener] = config_of(snapshot(stub, old, new)).listeners

    assert (listener.mode, listener.balance, listener.timeout_ms) == ("http", "leastconn", 2)
    assert listener.check == Check("http", "/health")


def test_a_mode_that_does_not_count_is_said_and_served() -> None:
    stub, real = instance(1, role="stub", mode="http"), instance(2)
    memo = BuildMemo()

    for _ in range(2):  # also when the listener is the one of the build before
        config, problems = build(snapshot(stub, real), POLICY, memo)
        [(where, problem)] = problems.items()
        assert where.endswith("/whoami/000000000001:8000")
        assert problem.code == "MODE_DIFFERS"
        assert problem.text.startswith(
            "whoami 000000000001:8000 has mode http,"
            " but the oldest real one, 000000000002:8000, decides on tcp:"
        )
        assert not problem.quiet
        assert len(config.listeners[0].servers) == 2
    assert codes(snapshot(stub, instance(2, mode="http"))) == {}
    assert codes(snapshot(stub, instance(2, service_port=9000))) == {}, "another service port"


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        ({"sticky": "cookie"}, "SERVICE_STICKY"),
        ({"hash_header": "X-User"}, "SERVICE_BALANCE"),
        ({"canary": "X-New"}, "SERVICE_CANARY"),
        ({"proto": "h2c", "retry": "all"}, "SERVICE_PROTO, SERVICE_RETRY"),
    ],
)
def test_what_only_http_has_is_said_to_have_no_effect_in_tcp(
    asked: dict[str, str], label: str
) -> None:
    config, problems = build(snapshot(instance(1, **asked), instance(2)), POLICY)

    [problem] = problems.values()
    assert problem.code == "NO_EFFECT"
    assert problem.text == (
        f"whoami whoami-1 sets {label}, which needs http mode:"
        " set SERVICE_MODE=http if it speaks http"
    )
    assert len(config.listeners[0].servers) == 2
    assert codes(snapshot(instance(1, mode="http", **asked))) == {}


@pytest.mark.parametrize(
    ("check", "label"),
    [
        (Check("tcp", status="404"), "SERVICE_CHECK_STATUS"),
        (Check("none", host="a.example"), "SERVICE_CHECK_HOST"),
        (Check("tcp", status="404", host="a.example"), "SERVICE_CHECK_STATUS, SERVICE_CHECK_HOST"),
        (Check("tcp", grpc=True, status="404", host="a.example"), "SERVICE_CHECK_STATUS"),
    ],
)
def test_what_only_an_http_check_looks_at_is_said_to_have_no_effect_on_another(
    check: Check, label: str
) -> None:
    [problem] = build(snapshot(instance(1, mode="http", check=check)), POLICY)[1].values()

    assert problem.code == "NO_EFFECT"
    assert problem.text == (
        f"whoami whoami-1 sets {label}, which needs an http check: "
        "set SERVICE_CHECK_HTTP=<path> if it has a page to check"
    )
    assert (
        codes(snapshot(instance(1, check=Check("http", "/up", status="404", host="a.example"))))
        == {}
    )


def test_all_that_has_no_effect_is_said_at_once() -> None:
    [problem] = build(
        snapshot(instance(1, sticky="cookie", check=Check("tcp", status="404"))), POLICY
    )[1].values()

    assert "; and SERVICE_CHECK_STATUS, which needs an http check" in problem.text
    assert problem.text.startswith("whoami whoami-1 sets SERVICE_STICKY, which needs http mode: ")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            {"sticky": "cookie"},
            "sticky:, which needs http mode: set mode: http if it speaks http",
        ),
        (
            {"check": Check("none", status="404", host="a.example")},
            "check.status:, check.host:, which needs an http check: "
            "set check: {http: <path>} if it has a page to check",
        ),
    ],
)
def test_what_has_no_effect_is_said_in_the_words_of_the_file_that_it_stands_in(
    asked: dict[str, Any], text: str
) -> None:
    from_file = snapshot_of(PREFIX, Listing(1, 100, (entry(instance(1, **asked), created=OLDEST),)))

    [problem] = build(from_file, POLICY)[1].values()
    assert problem.text.endswith(f"sets {text}")


def test_a_cookie_is_a_hash_and_only_for_http() -> None:
    http, tcp = (
        instance(1, mode="http", sticky="cookie"),
        instance(2, "db", sticky="cookie", service_port=5432),
    )

    db, web = config_of(snapshot(http, tcp)).listeners

    assert len(web.servers[0].cookie) == 12
    assert "000000000001" not in web.servers[0].cookie
    assert (db.sticky, db.servers[0].cookie) == ("none", "")


def test_a_service_port_belongs_to_the_service_that_named_it_first() -> None:
    given = snapshot(instance(1, "first"), instance(2, "second"), instance(3, "first"))

    config, problems = build(given, POLICY)

    assert [item.name for item in config.listeners] == ["first:8000"]
    assert len(config.listeners[0].servers) == 2
    [(where, problem)] = problems.items()
    assert where.endswith("/second/000000000002:8000")
    assert problem.code == "PORT_CLAIMED"
    assert "belongs to first" in problem.text


def test_an_address_belongs_to_the_newest_record() -> None:
    old, new = (
        instance(1, "old", service_port=7000),
        instance(2, "new", service_port=7001, port=32001),
    )

    config, problems = build(snapshot(old, new), POLICY)

    assert [item.name for item in config.listeners] == ["new:7001"]
    assert [problem.code for problem in problems.values()] == ["ADDRESS_REUSED"]


def test_haproxys_own_address_is_no_instance() -> None:
    """A program on the host's network without its port seems to listen where HAProxy does."""
    loop = instance(1, address="127.0.0.1", port=9000, service_port=7000)
    given = snapshot(loop, instance(2, "other", service_port=9000))
    now = Listening({9000: "other"}, frozenset({Bind("127.0.0.1", 9000)}))

    config, problems = build(given, POLICY, listening=now)

    assert [item.name for item in config.listeners] == ["other:9000"]
    assert [problem.code for problem in problems.values()] == ["OWN_ADDRESS"]


def test_a_service_keeps_the_port_it_has_while_it_rolls() -> None:
    given = snapshot(instance(1, "squatter"), instance(2, "whoami"))

    assert [item.service for item in build(given, POLICY)[0].listeners] == ["squatter"]
    assert [
        i.service for i in build(given, POLICY, listening=Listening({8000: "whoami"}))[0].listeners
    ] == ["whoami"]
    # One that lost its last instance a short while ago still has its port.
    assert build(given, POLICY, listening=Listening({8000: "gone"}))[0].listeners == ()


def test_of_one_container_under_two_hosts_the_newer_counts() -> None:
    old, new = snapshot(instance(1)), snapshot(instance(1, port=99), host="h2")
    records = {
        **old.records,
        **{key: replace(record, created=99) for key, record in new.records.items()},
    }

    config, problems = build(replace(old, services={"whoami": Service.of(records)}), POLICY)

    assert [server.endpoint for server in config.listeners[0].servers] == ["10.0.0.1:99"]
    assert [problem.code for problem in problems.values()] == ["ADDRESS_REUSED"]


def test_an_unusable_address_is_left_out_alone() -> None:
    taken = Bind("127.0.0.1", 8000)
    policy = replace(POLICY, unusable={taken: "another program on this host holds the port"})

    config, problems = build(snapshot(instance(1)), policy)

    assert config.listeners[0].binds == (Bind("172.17.0.1", 8000),)
    [problem] = problems.values()
    assert problem.code == "PORT_IN_USE"
    assert "127.0.0.1:8000" in problem.text
    assert "another program" in problem.text


def test_a_listener_without_any_address_is_left_out() -> None:
    policy = replace(POLICY, unusable={Bind(host, 8000): "taken" for host in POLICY.hosts})

    config = config_of(snapshot(instance(1), instance(2, "other", service_port=9000)), policy)

    assert [item.name for item in config.listeners] == ["other:9000"]


def test_a_taken_stats_port_costs_only_the_stats_page() -> None:
    policy = replace(POLICY, unusable={Bind("127.0.0.1", 1936): "taken"})

    config, problems = build(snapshot(instance(1)), policy)

    assert config.process.stats is None
    assert len(config.listeners) == 1
    assert problems["stats"].code == "PORT_IN_USE"


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (instance(1, service_port=None), "NO_SERVICE_PORT"),
        (instance(1, service_port=1936), "PORT_RESERVED"),
    ],
)
def test_what_cannot_be_listened_for_has_a_reason(record: Instance, code: str) -> None:
    given = snapshot(record, instance(2, "other", service_port=9000))

    assert list(codes(given).values()) == [code]
    assert [item.name for item in config_of(given).listeners] == ["other:9000"]


@pytest.mark.parametrize(
    ("asked", "servers", "given"),
    [
        (None, 4095, "roundrobin"),
        (None, 4096, "leastconn"),
        ("roundrobin", 4096, "leastconn"),
        ("random", 4096, "random"),
    ],
)
def test_more_servers_than_roundrobin_can_have_are_balanced_by_leastconn(
    asked: str | None, servers: int, given: str
) -> None:
    records = [
        instance(n, address=f"10.1.{n // 250}.{n % 250 + 1}", port=9000, balance=asked)
        for n in range(1, servers + 1)
    ]

    config, problems = build(snapshot(*records), POLICY)

    assert config.listeners[0].balance == given
    assert len(config.listeners[0].servers) == servers
    assert not problems
