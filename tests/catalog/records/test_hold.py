"""The bytes of a hold, and its keys."""

import pytest

from catalog.errors import Rejected
from catalog.keys import HoldKey, key_of, parse_key
from catalog.records.hold import Hold, decode, encode

SINCE = "2026-11-26T18:00:00Z"


@pytest.mark.parametrize(
    "hold",
    [
        Hold("alpha", SINCE),
        Hold("alpha", SINCE, "2026-11-26T18:10:00Z"),
        Hold("alpha", SINCE, domain="apps.test"),
    ],
)
def test_what_is_encoded_is_decoded(hold: Hold) -> None:
    assert decode(encode(hold)) == hold


def test_what_a_later_version_adds_is_ignored() -> None:
    later = encode(Hold("alpha", SINCE)).replace(b"{", b'{"more":[1],', 1)

    assert decode(later) == Hold("alpha", SINCE)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"\xff", "not JSON"),
        (b"[]", "list instead of a JSON object"),
        (b'{"v":2,"holder":"a"}', "is not like"),
        (b'{"v":1,"since":"2026-11-26T18:00:00Z"}', "holder None"),
        (b'{"v":1,"holder":"","since":"2026-11-26T18:00:00Z"}', "holder ''"),
        (b'{"v":1,"holder":"a\\nb","since":"2026-11-26T18:00:00Z"}', "holder 'a"),
        (b'{"v":1,"holder":"a","since":"yesterday"}', "'yesterday' is not a time"),
        (b'{"v":1,"holder":"a","since":"2026-11-26T18:00:00Z","until":5}', "5 is not a time"),
        (b'{"v":1,"holder":"a","since":"2026-11-26T18:00:00Z","domain":"A_b"}', "'A_b' is not a"),
        (b'{"v":1,"holder":"' + b"a" * 3000 + b'"}', "at most 2048 are read"),
        (b"[" * 3000, "at most 2048"),
    ],
)
def test_what_is_no_hold_is_refused(value: bytes, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        decode(value)


@pytest.mark.parametrize(
    "key",
    [
        HoldKey("port", "8080"),
        HoldKey("name", "db"),
        HoldKey("host", "shop.example.com/"),
        HoldKey("host", "*.example.com/api/v1/"),
        HoldKey("host", f"a.test/{'x' * 254}/"),
    ],
)
def test_a_key_is_parsed(key: HoldKey) -> None:
    assert parse_key("/services", key_of("/services", key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "port/0",
        "port/65536",
        "port/08",
        "port/",
        "name/A",
        "name/a/b",
        "host/shop.example.com",
        "host/shop.example.com/api",
        "host/a b/",
        "host/a.test/a b/",
        "other/x",
        "port",
    ],
)
def test_what_is_no_key_of_a_hold_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="not hosts/"):
        parse_key("/services", f"/services/v1/holds/{text}")
