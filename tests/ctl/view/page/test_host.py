"""The page of a host: what is wrong there, and what nobody else has."""

from typing import Any

from catalog.asking.answer import Answer
from catalog.asking.presence import Presence
from catalog.asking.refusals import Refusal, Refusals
from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.page.host import HostTold, host_page, lost_rows
from ctl.view.page.page import lines_of
from ctl.view.published import Published
from tests.parts.records import instance

HERE = (
    Published("a", instance(1, "orders", started_ms=1_000)),
    Published("a", instance(2, "pets", role="stub")),
    Published("a", instance(3, "shop", state="draining")),
)
ELSEWHERE = (Published("b", instance(4, "orders")),)
FLEET = Fleet(
    {"a": Presence(version="1.2", haproxy="3.0", zone="north")},
    frozenset({"a"}),
    {"a": Refusals((Refusal("db", "UDP_PORT", "no"), Refusal("x", "IGNORED", "")))},
)
APPLIED = (Heard("a", "discover", Answer(facts={"revision": 7}), 0.1, 7),)


def problems(**changes: Any) -> list[str]:
    told = {"host": "a", "fleet": FLEET, "applied": APPLIED, "revision": 7, **changes}
    return [step.text for step in host_page(HostTold(**told)).problems]


def test_what_runs_there_and_what_is_not_published() -> None:
    page = host_page(HostTold("a", FLEET, HERE, APPLIED, 7, now_s=7201.0))
    assert page.said == "3 instances, Tandem 1.2, HAProxy 3.0, zone north, lease alive"
    assert [row["service"] for row in page.document["instances"]] == ["shop", "orders", "pets"]
    assert page.document["instances"][1]["started"] == "2h ago"
    assert page.document["refused"] == [{"where": "db", "code": "UDP_PORT", "text": "no"}]
    assert page.document["proxy"][0]["state"] == "SYNCED"
    assert "  nothing: all that is called has another one" in lines_of(page)


def test_what_is_wrong_there() -> None:
    assert problems() == []
    assert "it is drained" in problems(is_drained=True)[0]
    assert "does not answer" in problems(applied=())[0]
    assert "its registrar is away" in problems(fleet=Fleet({"a": Presence()}))[0]
    assert "no docker-discover" in problems(fleet=Fleet(owners=frozenset({"a"})))[0]
    not_ready = Fleet({"a": Presence(not_ready="haproxy: down")}, frozenset({"a"}))
    assert "haproxy: down" in problems(fleet=not_ready)[0]


def test_what_would_be_missed() -> None:
    rows = lost_rows("a", (*HERE, *ELSEWHERE), ["db"], ["web"])
    assert {row["service"]: row["then"] for row in rows} == {
        "db": "nobody answers",
        "pets": "nobody answers, its stub is here, too",
        "web": "a stub answers",
    }
