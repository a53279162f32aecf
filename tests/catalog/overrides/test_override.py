"""The bytes of an override: what goes in comes out, and nothing that could harm gets through."""

import json
from typing import Any

import pytest

from catalog.errors import Rejected
from catalog.overrides.override import Override, decode, encode, moment_of

INSTANCE = "77de12f4aa01:8000"
DRAIN: dict[str, Any] = {"v": 1, "by": "anna", "instance": INSTANCE, "state": "draining"}
TO: dict[str, Any] = {"v": 1, "by": "anna", "to": "192.0.2.77:9000"}


def read(document: object) -> Override:
    return decode(json.dumps(document).encode())


@pytest.mark.parametrize(
    "override",
    [
        Override(by="anna", instance=INSTANCE, state="draining"),
        Override(by="anna@laptop", host="h1", state="draining", why="new disk", until_s=1800000000),
        Override(by="r-12", instance=INSTANCE, weight=0),
        Override(by="r-12", instance=INSTANCE, weight=256, only=("h1", "h2")),
        Override(by="anna", to="192.0.2.77:9000"),
        Override(by="anna", to="[fd00::5]:9000", header="x-dev=anna", path="/api"),
        Override(by="anna", to="127.0.0.1:9000", only=("h1",)),
    ],
)
def test_what_is_encoded_is_decoded(override: Override) -> None:
    assert decode(encode(override)) == override
    assert encode(decode(encode(override))) == encode(override)


def test_only_what_it_says_is_written() -> None:
    override = Override(by="anna", host="h1", state="draining", until_s=1795716000)

    assert json.loads(encode(override)) == {
        "v": 1,
        "by": "anna",
        "host": "h1",
        "state": "draining",
        "until": "2026-11-26T18:00:00Z",
    }


def test_what_a_later_version_adds_is_ignored() -> None:
    assert read({**DRAIN, "more": [1]}) == read(DRAIN)


@pytest.mark.parametrize(
    ("until", "until_s"),
    [
        (0, 0),
        (1795716000, 1795716000),
        ("2026-11-26T18:00:00Z", 1795716000),
        ("2026-11-26T19:00:00.5+01:00", 1795716000),
        ("0001-01-01T00:00:00Z", 1),
    ],
)
def test_an_end_is_a_time_or_unix_seconds(until: object, until_s: int) -> None:
    assert read({**DRAIN, "until": until}).until_s == until_s


def test_it_is_over_at_its_end_or_never() -> None:
    override = read({**DRAIN, "until": 1000})
    assert not override.is_over(999.9)
    assert override.is_over(1000.0)
    assert not read(DRAIN).is_over(1e12)
    assert moment_of(1795716000) == "2026-11-26T18:00:00Z"


def test_an_address_has_one_spelling() -> None:
    assert read({**TO, "to": "[::ffff:192.0.2.77]:9000"}) == read(TO)
    assert read({**TO, "to": "[fd00:0::5]:9000"}).endpoint == ("fd00::5", 9000)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "instead of a JSON object"),
        ({**DRAIN, "v": 2}, "unknown version"),
        ({**DRAIN, "by": ""}, "nobody owns it"),
        ({"v": 1, "instance": INSTANCE, "state": "draining"}, "nobody owns it"),
        ({**DRAIN, "by": "a\nb"}, "printable text"),
        ({**DRAIN, "by": 5}, "printable text"),
        ({**DRAIN, "why": "x" * 300}, "printable text"),
        ({**DRAIN, "state": "gone"}, "not one of"),
        ({**DRAIN, "state": ""}, "does one of both"),
        ({**DRAIN, "state": None}, "not one of"),
        ({**DRAIN, "instance": "77de"}, "an instance such as"),
        ({**DRAIN, "instance": ""}, "about one of both"),
        ({**DRAIN, "host": "h1"}, "about one of both"),
        ({**DRAIN, "instance": "", "host": "../h"}, "the id of a host"),
        ({**DRAIN, "weight": 257}, "from 0 to 256"),
        ({**DRAIN, "weight": True}, "from 0 to 256"),
        ({**DRAIN, "weight": "5"}, "from 0 to 256"),
        ({**DRAIN, "path": "/api"}, "choose calls for to"),
        ({**DRAIN, "header": "x"}, "choose calls for to"),
        ({**DRAIN, "to": "192.0.2.77:9000"}, "does one of both"),
        ({**DRAIN, "until": "tomorrow"}, "not a time"),
        ({**DRAIN, "until": "2026-11-26T18:00:00"}, "not a time"),
        ({**DRAIN, "until": "9999-01-01T00:00:00Z"}, "not a time"),
        ({**DRAIN, "until": -1}, "whole number"),
        ({**DRAIN, "until": True}, "whole number"),
        ({**DRAIN, "until": 1.5}, "whole number"),
        ({**DRAIN, "until": 10**12}, "whole number"),
        ({**DRAIN, "only": "h1"}, "not a list"),
        ({**DRAIN, "only": [5]}, "the id of a host"),
        ({**DRAIN, "only": ["h\n1"]}, "the id of a host"),
        ({**DRAIN, "only": ["h"] * 65}, "at most 64"),
        ({**TO, "instance": INSTANCE}, "a whole service"),
        ({**TO, "to": "laptop:9000"}, "not an IP address"),
        ({**TO, "to": "192.0.2.77"}, "has no port"),
        ({**TO, "to": "192.0.2.77:70000"}, "has no port"),
        ({**TO, "to": "192.0.2.77:9000\nx"}, "has no port"),
        ({**TO, "to": 9000}, "is not such as"),
        ({**TO, "to": "0.0.0.0:9000"}, "not an IP address"),
        ({**TO, "to": "224.0.0.1:9000"}, "not an IP address"),
        ({**TO, "to": "169.254.169.254:80"}, "link-local"),
        ({**TO, "to": "[fe80::1]:80"}, "link-local"),
        ({**TO, "to": "[fe80::1%eth0]:80"}, "not an IP address"),
        ({**TO, "to": "127.0.0.1:9000"}, "another machine on each host"),
        ({**TO, "to": "[::1]:9000", "only": ["h1", "h2"]}, "another machine on each host"),
        ({**TO, "header": "x y"}, "a header name"),
        ({**TO, "header": "x=a b"}, "a header name"),
        ({**TO, "path": "api"}, "a path prefix"),
        ({**TO, "path": '/a"b'}, "a path prefix"),
    ],
)
def test_what_is_wrong_is_rejected_and_said(document: object, said: str) -> None:
    with pytest.raises(Rejected, match=said) as rejected:
        read(document)
    assert "\n" not in str(rejected.value)
    assert len(str(rejected.value)) < 300


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"{", b'{"v":1,"v":1}', b'{"v":NaN}', b"[" * 5000, b" " * 5000]
)
def test_what_is_no_record_is_rejected(value: bytes) -> None:
    with pytest.raises(Rejected):
        decode(value)
