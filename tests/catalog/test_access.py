"""Addresses and credentials: what is taken, what is refused with which reason."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.access import Access, Member, parse_members
from catalog.errors import Rejected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", [Member("10.0.0.1", 2379)]),
        ("10.0.0.1:4001", [Member("10.0.0.1", 4001)]),
        ("etcd", [Member("etcd", 2379)]),
        ("a:1, b:2 ,,c", [Member("a", 1), Member("b", 2), Member("c", 2379)]),
        ("http://etcd:2379/", [Member("etcd", 2379)]),
        ("https://etcd", [Member("etcd", 2379, tls=True)]),
        ("[fd00::5]", [Member("fd00::5", 2379)]),
        ("https://[::1]:4001", [Member("::1", 4001, tls=True)]),
        ("[::ffff:10.0.0.1]:1", [Member("::ffff:10.0.0.1", 1)]),
    ],
)
def test_addresses(text: str, expected: list[Member]) -> None:
    assert parse_members(text) == tuple(expected)


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
        parse_members(text)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        members = parse_members(text)
    except Rejected:
        return
    assert all(1 <= member.port <= 65535 and member.host for member in members)


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (Member("10.0.0.1"), "10.0.0.1:2379"),
        (Member("fd00::5", 1), "[fd00::5]:1"),
        (Member("a", 2, True), "a:2"),
    ],
)
def test_endpoint_reads_like_an_address(member: Member, text: str) -> None:
    assert str(member) == text


CA, CERT, KEY = Path("ca"), Path("cert"), Path("key")


@pytest.mark.parametrize(
    ("access", "tls"),
    [
        (Access(), False),
        (Access(ca_cert=CA), True),
        (Access(cert=CERT, key=KEY), True),
        (Access((Member("a", tls=True),)), True),
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
        ({"members": (Member("a", tls=True), Member("b"))}, "ETCD_HOST"),
    ],
)
def test_halves_are_rejected_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        Access(**fields)  # type: ignore[arg-type]


def test_password_is_not_shown() -> None:
    assert "hidden" not in repr(Access(user="u", password="hidden"))
