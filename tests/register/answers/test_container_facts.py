"""What is told of a container: found by each of its names, with codes, and without values."""

import json
from typing import Any

import pytest

from register.answers.container_facts import Known, rows_about
from register.docker.container import Binding, Container, Port
from register.reasons import because
from tests.parts.records import PREFIX, container_id, instance

KEY = f"{PREFIX}/v1/hosts/h1/instances/whoami/x"


def container(number: int, name: str, **changes: Any) -> Container:
    return Container(
        id=container_id(number), name=name, image="shop/orders:1.2", started_ns=5, **changes
    )


KNOWN = Known(
    (
        container(
            1, "web-1", bindings=(Binding(Port(8000), "", 32001),), env={"SECRET": "hunter2"}
        ),
        container(2, "web-2", labels={"SERVICE_NAME": "Pets", "SERVICE_PORT": "8443"}),
        container(3, "web-3", labels={"com.docker.compose.service": "ledger_db"}),
    ),
    {KEY: instance(1, hosts=("who.example.com",))},
    {
        "web-2": because("NO_PUBLISHED_PORT", "web-2 publishes no port; add -P"),
        "web-20": because("IGNORED", "another one"),
        "web-2:53": because("UDP_PORT", "53/udp"),
        "broken start": because("START_FAILED", "no such file"),
    },
)


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("web-1", ["web-1"]),
        (container_id(1), ["web-1"]),
        ("000000000002", ["web-2"]),
        ("whoami", ["web-1"]),
        ("whoami:8000", ["web-1"]),
        ("8000", ["web-1"]),
        ("32001", ["web-1"]),
        ("who.example.com", ["web-1"]),
        ("10.0.0.1:32001", ["web-1"]),
        ("pets", ["web-2"]),
        ("8443", ["web-2"]),
        ("ledger-db", ["web-3"]),
        ("orders", ["web-1", "web-2", "web-3"]),
        ("broken", ["broken"]),
        ("nobody", []),
        ("", []),
    ],
)
def test_a_container_is_found_by_whatever_it_is_called(what: str, names: list[str]) -> None:
    assert [row["name"] for row in rows_about(KNOWN, what)] == names


def test_what_is_published_and_what_is_not() -> None:
    (row,) = rows_about(KNOWN, "web-1")
    assert row["ports"] == ["*:32001 -> 8000"]
    assert row["published"][0]["key"] == KEY
    assert row["published"][0]["address"] == "10.0.0.1:32001"
    assert row["refused"] == []

    (row,) = rows_about(KNOWN, "pets")
    assert row["container"] == "000000000002"
    assert [(it["where"], it["code"]) for it in row["refused"]] == [
        ("web-2", "NO_PUBLISHED_PORT"),
        ("web-2:53", "UDP_PORT"),
    ]
    assert row["refused"][0]["meaning"]


def test_no_value_of_a_variable_is_told() -> None:
    rows = [row for what in ("web-1", "web-2") for row in rows_about(KNOWN, what)]
    assert "hunter2" not in json.dumps(rows)
