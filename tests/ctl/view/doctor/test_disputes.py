"""What doctor says of refusals: one line for each, with the hosts that refuse it."""

from typing import Any

import pytest

from catalog.asking.refusals import Refusal, Refusals
from ctl.fleet import Fleet
from ctl.view.doctor.disputes import dispute_findings
from ctl.view.doctor.hosts import Hosts, Told


def hosts(facts: dict[str, dict[str, Any]], **refusals: Refusals) -> Hosts:
    told = {host: Told(each, 0, 1) for host, each in facts.items()}
    return Hosts(Fleet(refusals=refusals), told=told)


def row(code: str, text: str) -> dict[str, str]:
    return {"where": "x", "code": code, "text": text}


def test_nothing_is_refused() -> None:
    (finding,) = dispute_findings(hosts({"a": {"refused": []}}))
    assert (finding.level, finding.text) == ("ok", "no name, port or record is refused")


def test_what_several_hosts_refuse_is_said_once() -> None:
    claimed = {"refused": [row("PORT_CLAIMED", "8080 belongs to orders")]}
    (finding,) = dispute_findings(hosts({"a": claimed, "b": claimed}))

    assert finding.level == "error"
    assert finding.text == "PORT_CLAIMED on a, b: 8080 belongs to orders"
    assert "SERVICE_PORT=auto" in finding.helps
    assert finding.docs == "operations.md#hand-over-a-port-or-a-name"


@pytest.mark.parametrize(
    ("code", "level"),
    [("NAME_TAKEN", "error"), ("QUARANTINED", "error"), ("NO_EFFECT", "warn"), ("NEW", "warn")],
)
def test_what_takes_a_service_away_is_an_error(code: str, level: str) -> None:
    (finding,) = dispute_findings(hosts({"a": {"refused": [row(code, "why")]}}))
    assert (finding.level, finding.text) == (level, f"{code} on a: why")


def test_what_is_not_published_is_counted_unless_it_is_meant() -> None:
    rows = tuple(Refusal(f"c{number}", "NO_PUBLISHED_PORT", "why") for number in range(5))
    said = Refusals((*rows, Refusal("db", "NOT_LABELLED", "why")))

    (finding,) = dispute_findings(hosts({}, a=said))
    assert finding.level == "warn"
    assert finding.text.startswith("a: 5 containers or ports are not published: c0 (NO_PUBLISHED")
    assert finding.text.endswith("and 2 more")


@pytest.mark.parametrize("refused", [None, 5, ["x"], [{}]], ids=str)
def test_odd_answers_cost_nothing(refused: object) -> None:
    found = dispute_findings(hosts({"a": {"refused": refused}}))
    assert [it.level for it in found] != ["error"]


def test_more_than_there_is_room_for_is_said() -> None:
    found = dispute_findings(hosts({"a": {"refused_more": 12}}))
    assert found[0].text == "a refuses 12 more"
