"""The record of a host's ports: its bytes, and what is refused of it."""

import json

import pytest

from catalog.errors import Rejected
from catalog.records.host_ports import PORTS_MAX, HostPort, decode, encode

WEB = HostPort(8700, "", "web")
OTHER = HostPort(81, "127.0.0.1", "other")


def test_it_is_read_as_it_was_written_in_one_order() -> None:
    assert decode(encode([WEB, OTHER])) == (OTHER, WEB)
    assert encode([WEB, OTHER, WEB]) == encode([OTHER, WEB])


def test_an_address_has_one_spelling_and_unknown_fields_are_ignored() -> None:
    row = {"port": 1, "address": "0:0:0:0:0:0:0:1", "by": "", "later": True}

    assert decode(json.dumps({"v": 1, "ports": [row], "more": 1}).encode()) == (
        HostPort(1, "::1", ""),
    )


@pytest.mark.parametrize(
    "row",
    [
        None,
        {"port": 0, "address": "", "by": ""},
        {"port": True, "address": "", "by": ""},
        {"port": 65536, "address": "", "by": ""},
        {"port": 1, "address": "localhost", "by": ""},
        {"port": 1, "address": None, "by": ""},
        {"port": 1, "address": "", "by": "two\nlines"},
        {"port": 1, "address": ""},
    ],
)
def test_a_wrong_row_is_refused(row: object) -> None:
    with pytest.raises(Rejected, match="host ports: "):
        decode(json.dumps({"v": 1, "ports": [row]}).encode())


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b'{"v":2,"ports":[]}', b'{"v":1}', b'{"v":1,"ports":{}}', b" " * 300_000],
)
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(Rejected, match="host ports: "):
        decode(value)


def test_too_many_are_cut_when_written_and_refused_when_read() -> None:
    many = [HostPort(number, "", "") for number in range(1, PORTS_MAX + 2)]
    rows = [{"port": each.port, "address": "", "by": ""} for each in many]

    assert len(decode(encode(many))) == PORTS_MAX
    with pytest.raises(Rejected):
        decode(json.dumps({"v": 1, "ports": rows}).encode())
