"""What doctor says of this machine, and which ports it calls."""

import json
from typing import Any

import pytest

from catalog.entries import Entry
from catalog.keys import DrainedKey, OwnerKey, PurgeKey, key_of
from ctl.view.doctor.from_here import (
    MIGRATE,
    Called,
    Port,
    call_findings,
    machine_findings,
    own_proxy_findings,
)
from ctl.view.doctor.standing import explained_rows, marked, own_hosts, ports_of

PREFIX = "/services"
GOOD = Called("orders", "localhost:8080")
BAD = Called("pets", "localhost:8081", "Connection refused")


@pytest.mark.parametrize(
    ("value", "level", "words"),
    [
        (1, "ok", "is 1"),
        (0, "warn", "is 0: an upgrade of docker-discover may lose a call"),
        (None, "warn", "this kernel has no"),
    ],
)
def test_sysctls_of_a_host(value: int | None, level: str, words: str) -> None:
    (finding,) = machine_findings({MIGRATE: value}, is_host=True)
    assert (finding.level, words in finding.text) == (level, True)


def test_sysctls_of_a_laptop_are_nobodys_business() -> None:
    (finding,) = machine_findings({MIGRATE: 0}, is_host=False)
    assert finding.level == "ok"


@pytest.mark.parametrize(
    ("called", "is_host", "expected"),
    [
        ([], True, [("ok", "no service has a port to call")]),
        ([GOOD], True, [("ok", "localhost:8080 (orders) answers")]),
        (
            [GOOD, BAD],
            False,
            [
                ("ok", "localhost:8080 (orders) answers"),
                ("error", "localhost:8081 (pets) does not answer: Connection refused"),
            ],
        ),
        ([BAD], True, [("error", "localhost:8081 (pets) does not answer: Connection refused")]),
        (
            [BAD],
            False,
            [("ok", "no docker-discover runs on this machine: its ports are not called")],
        ),
    ],
)
def test_ports(called: list[Called], is_host: bool, expected: list[tuple[str, str]]) -> None:
    found = call_findings(called, is_host=is_host)
    assert [(it.level, it.text) for it in found] == expected


@pytest.mark.parametrize(
    ("listens", "host"),
    [
        ((), "127.0.0.1"),
        (("*",), "127.0.0.1"),
        (("10.0.0.5", "127.0.0.1"), "127.0.0.1"),
        (("10.0.0.5",), "10.0.0.5"),
    ],
)
def test_ports_are_called_where_they_are_listened_on(listens: tuple[str, ...], host: str) -> None:
    row = {"service": "orders", "port": 8080, "mode": "http", "up": 1}
    (port,) = ports_of([row, row], listens)

    assert port == Port("orders", host, 8080, is_http=True)
    assert port.address == ("localhost:8080" if host == "127.0.0.1" else f"{host}:8080")


@pytest.mark.parametrize(
    "row",
    [{"service": "orders", "port": 8080}, {"service": "orders", "up": 1}, {"port": "x", "up": 1}],
    ids=str,
)
def test_what_has_no_instance_or_no_port_is_not_called(row: dict[str, Any]) -> None:
    assert ports_of([row], ()) == ()


def entry(key: Any, value: bytes = b"{}") -> Entry:
    return Entry(key_of(PREFIX, key), value, 1, 1, 1)


def test_hosts_out_of_service_are_found() -> None:
    entries = [entry(DrainedKey("a")), entry(PurgeKey("b")), Entry("/services/v1/?", b"", 1, 1, 1)]

    assert marked(PREFIX, entries, DrainedKey) == {"a"}
    assert marked(PREFIX, entries, PurgeKey) == {"b"}


@pytest.mark.parametrize(
    ("said", "is_here"),
    [
        ({"boot_id": "x", "host_ip": "10.0.0.1"}, True),
        ({"boot_id": "x", "host_ip": "10.0.0.2"}, False),
        ({"boot_id": "y", "host_ip": "10.0.0.1"}, False),
        ({"boot_id": "x", "host_ip": 7}, False),
        ({}, False),
    ],
    ids=str,
)
def test_which_host_this_machine_is(said: dict[str, Any], is_here: bool) -> None:
    entries = [entry(OwnerKey("a"), json.dumps(said).encode()), entry(OwnerKey("b"), b"{")]
    found = own_hosts(PREFIX, entries, "x", lambda address: address == "10.0.0.1")

    assert found == ({"a"} if is_here else frozenset())


@pytest.mark.parametrize(
    ("explained", "level", "text"),
    [
        (None, "ok", "no docker-discover answers at this machine's METRICS"),
        ({"revision": 7}, "ok", "docker-discover of this machine serves revision 7"),
        (
            {"revision": 7, "not_ready": "etcd: away"},
            "warn",
            "docker-discover of this machine serves revision 7, and is not ready: etcd: away",
        ),
    ],
)
def test_this_machines_docker_discover(
    explained: dict[str, Any] | None, level: str, text: str
) -> None:
    (finding,) = own_proxy_findings(explained)
    assert (finding.level, finding.text) == (level, text)


def test_its_listeners_are_called() -> None:
    listener = {"service": "orders", "port": 8080, "mode": "tcp", "binds": [1], "servers": [1]}
    explained = {"listeners": {"a": listener, "b": {**listener, "binds": []}, "c": 3}}

    (row,) = explained_rows(explained)
    assert ports_of([row], ()) == (Port("orders", "127.0.0.1", 8080, is_http=False),)
    assert list(explained_rows({"listeners": None})) == []
