"""Addresses and credentials: what is taken, what is refused with which reason."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.access import Access, Endpoint, parse_endpoints
from catalog.errors import Rejected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", [Endpoint("10.0.0.1", 2379)]),
        ("10.0.0.1:4001", [Endpoint("10.0.0.1", 4001)]),
        ("etcd", [Endpoint("etcd", 2379)]),
        ("a:1, b:2 ,,c", [Endpoint("a", 1), Endpoint("b", 2), Endpoint("c", 2379)]),
        ("http://etcd:2379/", [Endpoint("etcd", 2379)]),
        ("https://etcd", [Endpoint("etcd", 2379, tls=True)]),
        ("[fd00::5]", [Endpoint("fd00::5", 2379)]),
        ("https://[::1]:4001", [Endpoint("::1", 4001, tls=True)]),
        ("[::ffff:10.0.0.1]:1", [Endpoint("::ffff:10.0.0.1", 1)]),
    ],
)
def test_addresses(text: str, expected: list[Endpoint]) -> None:
    assert parse_endpoints(text) == tuple(expected)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " , ",
            ":2379",
            "a:",
            "a:x",
            "a:0",
            "a:65536",
            "a:-1",
            "a:1:2",
            "fd00::5",
            "[fd00::5",
            "[zz]",
            "[1.2.3.4]",
        ),
        *("ftp://a", "://a", "a/b", "a b", "http://", "user@[::1]", "https://a:1/path"),
    ],
)
def test_wrong_addresses_are_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        parse_endpoints(text)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        endpoints = parse_endpoints(text)
    except Rejected:
        return
    assert all(1 <= endpoint.port <= 65535 and endpoint.host for endpoint in endpoints)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint("10.0.0.1"), "10.0.0.1:2379"),
        (Endpoint("fd00::5", 1), "[fd00::5]:1"),
        (Endpoint("a", 2, True), "a:2"),
    ],
)
def test_endpoint_reads_like_an_address(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


CA, CERT, KEY = Path("ca"), Path("cert"), Path("key")


@pytest.mark.parametrize(
    ("access", "tls"),
    [
        (Access(), False),
        (Access(ca_cert=CA), True),
        (Access(cert=CERT, key=KEY), True),
        (Access((Endpoint("a", tls=True),)), True),
        (Access(user="u", password="p"), False),
    ],
)
def test_any_sign_of_tls_is_a_wish_for_it(access: Access, tls: bool) -> None:
    assert access.tls is tls


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"cert": CERT}, "ETCD_KEY"),
        ({"key": KEY}, "ETCD_CERT"),
        ({"user": "u"}, "ETCD_PASSWORD"),
        ({"password": "p"}, "ETCD_USER"),
        ({"endpoints": (Endpoint("a", tls=True), Endpoint("b"))}, "ETCD_HOST"),
    ],
)
def test_halves_are_rejected_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        Access(**fields)  # type: ignore[arg-type]


def test_password_is_not_shown() -> None:
    assert "hidden" not in repr(Access(user="u", password="hidden"))
