"""Which server gets which calls: stubs beside real instances, near before far ones, canaries."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.keys import identity
from catalog.records.record import Check, Instance, Locality, Sticky
from discover.model.build import build
from discover.model.health_check import SERVING, grpc_request
from discover.model.proxy_config import Header, HostPolicy, Listener, Location, Server
from discover.model.servers import servers_of, stub_policy
from discover.snapshot.snapshot import Record
from tests.parts.configs import POLICY, PROCESS, config_of, section
from tests.parts.records import instance, snapshot

HERE = Location(frozenset({"h1"}), "a")


def record(number: int, host: str = "h1", **changes: Any) -> Record:
    it = instance(number, **changes)
    return Record(identity(host, it), it, created=number)


def servers(
    *group: Record, locality: Locality = "any", sticky: Sticky = "none", location: Location = HERE
) -> dict[int, Server]:
    found = servers_of(group, stub_policy(group), locality, sticky, location)
    return {int(server.name.partition(":")[0], 16): server for server in found}


def weights(found: dict[int, Server]) -> dict[int, int]:
    return {number: server.weight for number, server in sorted(found.items())}


def spares(found: dict[int, Server]) -> set[int]:
    return {number for number, server in found.items() if server.backup}


@pytest.mark.parametrize(
    ("policy", "spare"),
    [("supersede", {1}), ("fallback", {1}), ("pin", {2, 3}), ("share=10%", set())],
)
def test_who_waits_for_whom(policy: str, spare: Any) -> None:
    stub, real, other = record(1, role="stub", stub_policy=policy), record(2), record(3)

    assert spares(servers(stub, real, other)) == spare


def test_the_oldest_stub_says_how_stubs_stand_to_real_ones() -> None:
    old, new = (
        record(1, role="stub", stub_policy="pin"),
        record(2, role="stub", stub_policy="share=1%"),
    )

    assert stub_policy([new, old, record(3, stub_policy="fallback")]) == "pin"
    assert stub_policy([record(3, stub_policy="pin")]) == "supersede"


@given(
    percent=st.integers(0, 100),
    real=st.lists(st.integers(1, 256), min_size=1, max_size=5),
    stubs=st.lists(st.integers(1, 256), min_size=1, max_size=3),
)
def test_stubs_get_the_share_they_are_given(
    percent: int, real: list[int], stubs: list[int]
) -> None:
    group = [record(n, weight=weight) for n, weight in enumerate(real, start=1)]
    policy = f"share={percent}%"
    group += [
        record(n, role="stub", stub_policy=policy, weight=w) for n, w in enumerate(stubs, start=100)
    ]

    found = weights(servers(*group))

    of_stubs = sum(weight for number, weight in found.items() if number >= 100)
    # Weights are whole numbers up to 256, and nobody that shall be called has none.
    coarse = len(group) / max(found.values()) * 100
    assert of_stubs / sum(found.values()) * 100 == pytest.approx(percent, abs=coarse)
    assert max(found.values()) <= 256


def test_a_share_is_of_what_can_be_called() -> None:
    stub = record(1, role="stub", stub_policy="share=50%", weight=10)

    assert weights(servers(stub, record(2, weight=30, state="draining"))) == {1: 10, 2: 30}
    assert weights(servers(stub, record(2, weight=30), record(3, state="draining"))) == {
        1: 256,
        2: 256,
        3: 100,
    }


@pytest.mark.parametrize(
    ("locality", "spare", "weight"),
    [
        ("any", set(), {1: 100, 2: 100, 3: 100}),
        ("zone", {3}, {1: 100, 2: 100, 3: 100}),
        ("host", {2, 3}, {1: 100, 2: 100, 3: 1}),
    ],
)
def test_near_instances_come_first(locality: Locality, spare: Any, weight: dict[int, int]) -> None:
    found = servers(
        record(1), record(2, "h2", zone="a"), record(3, "h3", zone="b"), locality=locality
    )

    assert (spares(found), weights(found)) == (spare, weight)


def test_without_a_zone_nothing_is_in_the_same_one() -> None:
    found = servers(
        record(1, "h2"), record(2, "h3"), locality="zone", location=Location(frozenset({"h1"}), "")
    )

    assert spares(found) == {1, 2}


def test_far_instances_come_before_stubs() -> None:
    stub, far = record(1, role="stub"), record(2, "h2", zone="b")

    assert weights(servers(stub, far, locality="zone")) == {1: 0, 2: 100}
    assert weights(
        servers(
            stub, replace(far, instance=replace(far.instance, state="draining")), locality="zone"
        )
    ) == {
        1: 100,
        2: 100,
    }


def test_a_spare_has_no_cookie_that_would_keep_clients_when_the_others_are_back() -> None:
    found = servers(record(1, role="stub"), record(2), sticky="cookie")

    assert (found[1].cookie, len(found[2].cookie)) == ("", 12)


@given(st.permutations(range(1, 9)), st.sampled_from(["h1", "h2", "h3"]))
def test_the_order_is_the_hosts_own_and_always_the_same(numbers: list[int], host: str) -> None:
    location = Location(frozenset({host}))

    assert list(servers(*map(record, numbers), location=location)) == list(
        servers(*map(record, range(1, 9)), location=location)
    )


def test_hosts_begin_with_different_servers() -> None:
    group = [record(n) for n in range(1, 9)]

    firsts = {
        next(iter(servers(*group, location=Location(frozenset({f"h{n}"}))))) for n in range(30)
    }

    assert len(firsts) > 4


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"mode": "http", "hash_header": "X-User"}, "balance hdr(X-User)"),
        ({"mode": "tcp", "hash_header": "X-User"}, "balance roundrobin"),
        (
            {"mode": "http", "check": Check("http", status="200,404")},
            "http-check expect status 200,404",
        ),
        (
            {"mode": "http", "check": Check("http", host="up.example")},
            "http-check send meth GET uri / ver HTTP/1.1 hdr Host up.example",
        ),
        ({"check": Check(grpc=True)}, f"tcp-check send-binary {grpc_request('whoami')}"),
        ({"check": Check(grpc=True)}, f"tcp-check expect binary {SERVING}"),
        ({"mode": "http", "canary": "X-Canary"}, "acl wants-canary req.hdr(X-Canary) -m found"),
        ({"mode": "http", "canary": "X-Canary=on"}, "acl wants-canary req.hdr(X-Canary) -m str on"),
    ],
)
def test_what_a_service_asks_for_is_laid_out(changes: dict[str, Any], line: str) -> None:
    assert line in section(config_of(snapshot(instance(1, **changes))), "listen whoami:8000")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mode": "http", "proto": "h2c"}, " proto h2 pool-purge-delay 100ms tcp-ut 3s"),
        ({"proto": "h2c"}, "on-error fastinter on-marked-up shutdown-backup-sessions"),
        ({"locality": "zone"}, "on-error fastinter backup"),
        ({"slow_start_ms": 30_000}, " slowstart 30000ms"),
        ({"maxconn": 5}, " maxconn 5"),
    ],
)
def test_what_an_instance_asks_for_is_said_of_its_server(
    changes: dict[str, Any], words: str
) -> None:
    assert section(config_of(snapshot(instance(1, **changes))), "listen whoami:8000")[-1].endswith(
        words
    )


def test_a_canary_has_a_backend_of_its_own_beside_its_share() -> None:
    given = snapshot(
        instance(1, mode="http"), instance(2, mode="http", canary="X-Canary", weight=0)
    )

    [listener] = config_of(given).listeners
    canary = section(config_of(given), "backend whoami:8000:canary")

    assert listener.canary == Header("X-Canary", "")
    assert [line for line in canary if line.startswith("server")] == [
        "server 000000000002:8000 10.0.0.1:32002 weight 100 track whoami:8000/000000000002:8000"
        " pool-purge-delay 100ms tcp-ut 3s"
    ]


def test_a_stub_comes_and_goes_without_another_word_for_real_ones() -> None:
    def listener(*records: Instance) -> Listener:
        [found] = build(snapshot(*records), HostPolicy(PROCESS, POLICY.hosts, {}, location=HERE))[
            0
        ].listeners
        return replace(found, servers=tuple(s for s in found.servers if not s.backup))

    assert listener(instance(1)) == listener(instance(1), instance(2, role="stub"))


def test_grpc_frames_are_what_the_rfc_says() -> None:
    sent = bytes.fromhex(grpc_request("a" * 200))

    assert sent.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
    length = int.from_bytes(sent[33:36])
    assert sent[36:38] == b"\1\4"
    assert sent[42 + length :] == b"\0\0\5\0\1\0\0\0\1\0\0\0\0\0"
    assert sent.count(b"\x01\x7f\x49" + b"a" * 200) == 1  # RFC 7541 section 5.1: 200 is 127 and 73
