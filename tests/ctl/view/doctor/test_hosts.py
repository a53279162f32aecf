"""What doctor says of hosts: silent, alone, lost, drained, skewed, of another version."""

from dataclasses import replace
from typing import Any

import pytest

from catalog.asking.presence import Presence
from catalog.asking.refusals import Refusals
from ctl.fleet import Fleet
from ctl.view.doctor.finding import Finding
from ctl.view.doctor.hosts import Hosts, Told, host_findings

A = Presence(version="0.2.0", haproxy="2.6.12")
NEW = Refusals(version="0.2.0")
SENT_MS, GOT_MS = 1_000_000, 1_000_040


def told(**facts: Any) -> Told:
    return Told({"clock_ms": SENT_MS + 10, "etcd_revision": 50, **facts}, SENT_MS, GOT_MS)


GOOD = Hosts(
    fleet=Fleet(
        proxies={"a": A, "b": A, "c": A},
        owners=frozenset("abc"),
        refusals=dict.fromkeys("abcd", NEW),
    ),
    told={"a": told(), "b": told(), "c": told()},
    revision=50,
    within_s=3,
)


def bad(hosts: Hosts) -> list[str]:
    """Return the findings that are not well, each as `level text`."""
    return [f"{it.level} {it.text}" for it in host_findings(hosts) if it.level != "ok"]


def without(hosts: Hosts, host: str, **changes: Any) -> Hosts:
    """Return hosts of which one does not answer."""
    answers = {name: it for name, it in hosts.told.items() if name != host}
    return replace(hosts, told=answers, **changes)


def telling(**facts: Any) -> Hosts:
    return replace(GOOD, told={**GOOD.told, "c": told(**facts)})


def of_fleet(**changes: Any) -> Hosts:
    return replace(GOOD, fleet=replace(GOOD.fleet, **changes))


def test_a_healthy_fleet() -> None:
    assert bad(GOOD) == []
    assert [it.text for it in host_findings(GOOD)] == [
        "3 of 3 docker-discovers answer",
        "clocks agree with this machine's, on 3 of 3 hosts",
        "all sidecars are of Tandem 0.2.0; HAProxy 2.6.12",
    ]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (Hosts(Fleet()), "error no docker-discover says that it is there"),
        (without(GOOD, "c", silent=frozenset("c")), "error c: docker-discover is silent for 3 s"),
        (
            without(GOOD, "c", too_old=frozenset("c")),
            "warn c: docker-discover is too old to be asked how it is",
        ),
        (
            of_fleet(owners=frozenset("abcd")),
            "warn d: docker-register without docker-discover: nobody can call services there",
        ),
        (
            of_fleet(owners=frozenset("ab")),
            "warn c: docker-discover without docker-register: its containers are not published",
        ),
        (
            telling(suspects={"d": {"instances": 4, "for_s": 41}}),
            "error d: its registrar is silent: the lease ended 41 s ago; 4 instances are suspects, "
            "called while their checks pass",
        ),
        (
            telling(frozen=True),
            "error removals are frozen on c: many hosts vanished at once",
        ),
        (replace(GOOD, drained=frozenset("c")), "warn c is drained: nothing of it is published"),
        (replace(GOOD, purged=frozenset("c")), "warn c is purged: nothing of it is called"),
        (
            telling(not_ready={"template": "line 7"}),
            "error c is not ready: template: line 7",
        ),
        (
            telling(failed="no room", etcd_revision=0),
            "error c: docker-discover cannot say how it is: no room",
        ),
        (telling(haproxy="no socket"), "error c: HAProxy does not answer: no socket"),
        (telling(etcd_revision=48), "warn c: its watch is 2 revisions behind etcd"),
        (
            telling(clock_ms=SENT_MS - 3_000),
            "warn c: its clock is 3.0 s behind this machine's",
        ),
        (
            telling(clock_ms=GOT_MS + 90_000),
            "warn c: its clock is 90.0 s ahead of this machine's",
        ),
        (
            of_fleet(proxies={"a": A, "b": A, "c": replace(A, version="0.1.0")}),
            "warn c: docker-discover 0.1.0, most are 0.2.0",
        ),
        (
            of_fleet(refusals={"a": NEW, "b": NEW, "c": Refusals()}),
            "warn c: docker-register does not say its version, most are 0.2.0",
        ),
        (
            of_fleet(refusals={"a": NEW, "b": NEW}),
            "warn c: docker-register does not say its version, most are 0.2.0",
        ),
        (of_fleet(unreadable={"/x": "why"}), "warn keys that cannot be read: /x"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_one_thing_is_wrong(hosts: Hosts, expected: str) -> None:
    assert bad(hosts) == [expected]


@pytest.mark.parametrize("clock_ms", [SENT_MS - 400, GOT_MS + 400, 0, None, "soon"])
def test_clocks_that_may_be_right(clock_ms: object) -> None:
    assert bad(telling(clock_ms=clock_ms)) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"suspects": 7},
        {"suspects": {"d": 4}},
        {"not_ready": ["x"]},
        {"start_to_applied": "x"},
        {"start_to_applied": {"own": 3}},
    ],
    ids=str,
)
def test_odd_answers_cost_nothing(facts: dict[str, Any]) -> None:
    assert bad(telling(**facts)) == []


def test_a_host_that_lost_its_registrar_is_named_once() -> None:
    lost = {"c": {"instances": 2, "for_s": 3}}
    hosts = replace(
        of_fleet(owners=frozenset("ab")), told={"a": told(suspects=lost), "b": told(suspects=lost)}
    )
    assert len([line for line in bad(hosts) if line.split()[1] == "c:"]) == 1


def test_only_one_host_is_looked_at() -> None:
    hosts = replace(GOOD, drained=frozenset("bc"), only="b", told={"b": told()})
    assert bad(hosts) == ["warn b is drained: nothing of it is published"]
    assert host_findings(hosts)[0] == Finding("ok", "1 of 1 docker-discovers answer")


def test_how_fast_starts_are_applied_is_quoted() -> None:
    starts = {"own": {"count": 9, "p50_ms": 21, "p90_ms": 40}, "other": {"p90_ms": 55}}
    hosts = replace(
        GOOD,
        told={
            "a": told(start_to_applied={"own": {"p90_ms": 12}}),
            "b": told(start_to_applied=starts),
        },
    )
    assert host_findings(hosts)[-1].text == (
        "nine of ten started containers are in HAProxy within "
        "40 ms on their own host (slowest: b), 55 ms on others (slowest: b)"
    )
