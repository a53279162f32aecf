"""What doctor says of etcd, from a healthy cluster to one that is away."""

from dataclasses import replace

import pytest

from catalog.members_seen import ClusterSeen, MemberSeen
from ctl.view.doctor.etcd import etcd_findings

MIB = 1024**2
GOOD = MemberSeen(
    "10.0.0.1:2379",
    id=1,
    cluster=7,
    took_s=0.0011,
    version="3.5.30",
    size_bytes=20 * MIB,
    used_bytes=5 * MIB,
    leader=1,
)
SECOND = replace(GOOD, address="10.0.0.2:2379", id=2, took_s=0.002)
DEAD = MemberSeen("10.0.0.3:2379", "UNAVAILABLE: connection refused")
NAMES = {1: "a", 2: "b", 3: "c"}


def said(*members: MemberSeen, alarms: tuple[tuple[int, str], ...] = ()) -> list[tuple[str, str]]:
    findings = etcd_findings(ClusterSeen(members, NAMES, alarms))
    return [(it.level, it.text) for it in findings]


def test_a_healthy_cluster() -> None:
    assert said(GOOD, SECOND) == [
        ("ok", "2 of 2 members answer (1.1, 2.0 ms), leader a"),
        ("ok", "database of 20 MiB, 5.0 in use; 2048 is the most, unless etcd was told otherwise"),
        ("ok", "version 3.5.30"),
    ]


def test_no_member_answers() -> None:
    assert said(DEAD) == [("error", f"{DEAD.address} does not answer: {DEAD.why}")]


def test_the_words_of_grpc_are_cut() -> None:
    why = (
        "UNAVAILABLE: failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.3:2379: "
    )
    dead = replace(DEAD, why=f"{why}Failed to connect to remote host: Connection refused")
    assert said(dead) == [("error", f"{DEAD.address} does not answer: Connection refused")]


def test_one_of_three_is_down() -> None:
    first, second, *_ = said(GOOD, SECOND, DEAD)
    assert first == ("warn", f"{DEAD.address} does not answer: {DEAD.why}")
    assert second[1].startswith("2 of 3 members answer")


@pytest.mark.parametrize(
    ("member", "level", "words"),
    [
        (replace(GOOD, took_s=0.9), "warn", "takes 0.9 s for a read"),
        (replace(GOOD, size_bytes=1700 * MIB), "warn", "database of 1700 MiB"),
        (
            replace(GOOD, size_bytes=7 * MIB, quota_bytes=8 * MIB),
            "warn",
            "database of 7.0 MiB, 5.0 in use; 8.0 is the most",
        ),
        (replace(GOOD, size_bytes=0), "ok", "version"),
        (replace(GOOD, leader=0), "ok", "1 of 1 members answer (1.1 ms)"),
        (replace(DEAD, refused=True), "warn", "tells this user nothing"),
    ],
)
def test_one_member(member: MemberSeen, level: str, words: str) -> None:
    assert [found for found in said(member) if found[0] == level and words in found[1]]


@pytest.mark.parametrize(
    ("alarm", "words"), [("NOSPACE", "nothing can be written"), ("CORRUPT", "cannot be trusted")]
)
def test_alarms_are_errors(alarm: str, words: str) -> None:
    found = etcd_findings(ClusterSeen((GOOD,), NAMES, ((1, alarm), (9, alarm))))
    errors = [it for it in found if it.level == "error"]

    assert [it.text.split(":")[0] for it in errors] == [
        f"alarm {alarm} of a",
        f"alarm {alarm} of 9",
    ]
    assert all(words in it.text and it.helps for it in errors)


def test_members_that_do_not_belong_together() -> None:
    other = replace(SECOND, cluster=8, version="3.4.30")
    found = said(GOOD, other)

    assert ("warn", "members run different versions: 3.4.30, 3.5.30") in found
    assert any(level == "error" and "different clusters" in text for level, text in found)
