"""Which registrar owns a host, and whether its life is over."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from register.host.owner import (
    FoundOwner,
    HostOwner,
    LifeSigns,
    decode,
    encode,
    found_owner,
    status_of,
)

MINE = HostOwner(
    life="me",
    host_ip="10.0.0.1",
    hostname="h1",
    since="2026-01-01T00:00:00Z",
    engine="E1",
    container="c1",
    pid=10,
    pid_namespace="pid:[1]",
    boot_id="b1",
    started_ticks=100,
)
OTHER = replace(MINE, life="other")
NOTHING = LifeSigns(None, None)


@pytest.mark.parametrize(
    ("other", "signs", "status"),
    [
        (MINE, LifeSigns(True, True), "over"),  # our own put, whose reply got lost
        (OTHER, LifeSigns(True, None), "alive"),
        (OTHER, LifeSigns(False, True), "over"),
        (OTHER, NOTHING, "over"),  # the same container, started again
        (replace(OTHER, container="c2"), LifeSigns(None, True), "alive"),
        (replace(OTHER, container="c2"), LifeSigns(None, False), "over"),
        (replace(OTHER, container=None), NOTHING, "unknown"),
        (replace(OTHER, boot_id="b0"), LifeSigns(None, True), "over"),
        (replace(OTHER, engine="E2"), LifeSigns(None, False), "elsewhere"),
        (replace(OTHER, engine="E2", boot_id="b0"), NOTHING, "elsewhere"),
        (replace(OTHER, engine=None), LifeSigns(False, None), "over"),
        (replace(OTHER, engine=None, boot_id="b0"), NOTHING, "elsewhere"),
        (replace(OTHER, engine=None, container="c2"), LifeSigns(None, True), "alive"),
    ],
)
def test_whether_another_life_is_over(other: HostOwner, signs: LifeSigns, status: str) -> None:
    assert status_of(other, MINE, signs) == status


def test_an_owner_survives_the_way_through_etcd() -> None:
    bare = replace(MINE, engine=None, container=None)

    assert decode(encode(MINE)) == MINE
    assert decode(encode(bare)) == bare


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[]", b'{"v":2}', b"\xff", encode(MINE).replace(b"10,", b'"x",')]
)
def test_a_record_of_another_kind_is_rejected(value: bytes) -> None:
    with pytest.raises(Rejected):
        decode(value)


@given(st.binary())
def test_any_bytes_are_rejected_at_worst(value: bytes) -> None:
    with pytest.raises(Rejected):
        decode(value)


def test_an_owner_whose_life_is_over_keeps_nobody_waiting() -> None:
    assert found_owner(encode(OTHER), "h1", lambda _other: "over") == FoundOwner(is_over=True)


def test_an_owner_that_lives_is_named() -> None:
    found = found_owner(encode(OTHER), "h1", lambda _other: "alive")

    assert not found.is_over
    assert found.why == (
        "another registrar runs for this host, waiting until it stops "
        "host=h1 hostname=h1 ip=10.0.0.1 since=2026-01-01T00:00:00Z"
    )


def test_an_owner_key_that_cannot_be_read_is_waited_for() -> None:
    found = found_owner(b"{}", "h1", lambda _other: "over")

    assert not found.is_over
    assert "cannot read the owner key" in found.why
