"""Lines of HAProxy's log as calls."""

import json
from typing import Any

import pytest

from catalog.errors import Rejected
from discover.calls.call_line import call_of, is_call, is_error, listener_of

GOOD: dict[str, Any] = {
    "time": "2026-11-27T01:02:03.004Z",
    "service": "orders:8080",
    "method": "GET",
    "path": "/a",
    "status": 200,
    "response_ms": 3,
    "total_ms": 4,
    "id": "",
    "end": "--",
    "retries": "0",
    "queue_ms": 0,
    "connect_ms": -1,
    "bytes_in": 10,
    "bytes_out": 20,
    "instance": "192.0.2.1:80",
    "backend": "orders:8080",
    "client": "192.0.2.9",
}


def line(**others: object) -> bytes:
    return json.dumps({**GOOD, **others}).encode()


def test_a_line_is_a_call() -> None:
    call = call_of(line())

    assert call["address"] == "192.0.2.1:80"
    assert (call["end"], call["code"]) == ("complete", "--")
    assert call["total_ms"] == 4
    assert "connect_ms" not in call  # it never connected: it kept a connection
    assert "id" not in call


@pytest.mark.parametrize(
    ("instance", "address"),
    [
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("2001:db8::1:80", "[2001:db8::1]:80"),
        ("-:-", None),
        (":0", None),
    ],
)
def test_an_instance_is_an_address(instance: str, address: str | None) -> None:
    assert call_of(line(instance=instance)).get("address") == address


def test_what_a_client_chose_is_printable() -> None:
    call = call_of(line(path="/\x1b[2J\u2028", id="x" * 5000))

    assert call["path"] == "/?[2J?"
    assert len(call["id"]) <= 1000


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, False),
        ({"status": 404}, False),
        ({"status": 503}, True),
        ({"end": "CD"}, True),
        ({"end": "LR"}, False),
        ({"retries": "1"}, True),
        ({"retries": "+1"}, True),
    ],
)
def test_what_counts_as_an_error(others: dict[str, object], expected: bool) -> None:
    assert is_error(call_of(line(**others))) is expected


@pytest.mark.parametrize("text", [b"{", b"[]", b"Server a/b is DOWN"])
def test_what_is_no_call_is_refused(text: bytes) -> None:
    with pytest.raises(Rejected):
        call_of(text)


def test_calls_are_told_from_notices() -> None:
    assert is_call(line())
    assert not is_call(b"Server orders:8080/slot-1 is DOWN")
    assert listener_of(line().replace(b'": "', b'":"')) == "orders:8080"
    assert listener_of(b"nothing") == ""
