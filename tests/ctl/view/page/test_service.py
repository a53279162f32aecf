"""The page of a service: what is wrong first; each instance as every host sees it."""

from typing import Any

from catalog.asking.answer import Answer
from catalog.asking.presence import Presence
from catalog.records.record import Check
from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.chain import Step
from ctl.view.page.page import lines_of
from ctl.view.page.service import problems_of, service_page
from ctl.view.page.settings import setting_rows
from ctl.view.page.told import Told
from ctl.view.published import Published
from tests.parts.records import instance

RECORDS = (
    Published("h1", instance(1, "orders", image="shop:7", balance="leastconn"), created=5),
    Published("h2", instance(2, "orders", image="shop:7"), created=9),
)
FLEET = Fleet({"a": Presence(), "b": Presence(), "c": Presence()}, frozenset({"h1", "h2"}))


def server(number: int, state: str = "UP", **more: Any) -> dict[str, Any]:
    name = f"{number:012x}:8000"
    return {
        "service": "orders", "port": 8000, "instance": name, "slot": f"slot-{number}",
        "role": "real", "state": state, "since_s": 7200, "sessions": 2, "weight": 100, **more,
    }  # fmt: skip


def heard(host: str, *servers: dict[str, Any]) -> Heard:
    listener = {"service": "orders", "port": 8000, "mode": "http", "listens": ["127.0.0.1:8000"]}
    facts = {"revision": 8, "etcd_revision": 8, "listeners": [listener]}
    return Heard(host, "discover", Answer(facts=facts, rows=servers), 0.1, 7)


def registered(**given: str) -> Heard:
    published = {"container_port": 8000, "given": given, "state": "ready"}
    row = {"container": f"{1:012x}", "name": "orders-1", "published": [published]}
    return Heard("h1", "register", Answer(rows=(row,)), 0.1, 7)


def test_what_is_wrong_comes_first() -> None:
    failing = server(2, "DOWN", check="L7STS", said="503", since_s=12)
    answers = (heard("a", server(1), failing), heard("b", server(1), server(2)))
    page = service_page(Told("orders", FLEET, answers, RECORDS, ["c"]))

    lines = list(lines_of(page))
    assert lines[0] == "service orders: port 8000, http: 1/2 ready on 2 hosts"
    assert lines[1].startswith("✗ a  real 000000000002:8000")
    assert "does not answer" in lines[3]

    worst, best = page.document["instances"]
    assert (worst["container"], worst["host"], worst["since"]) == ("orders-2", "h2", "12s")
    assert worst["state"] == "DOWN on a, UP on b"
    assert worst["check"] == "L7STS 503"
    assert (best["state"], best["image"], best["since"]) == ("UP", "shop:7", "2h")
    assert [(row["host"], row["state"]) for row in page.document["hosts"]] == [
        ("a", "SYNCED"),
        ("b", "SYNCED"),
        ("c", "silent"),
    ]
    assert page.document["hosts"][0]["sessions"] == 4


def test_a_server_without_a_slot_is_late_and_one_without_a_record_is_there() -> None:
    late = server(1, slot=f"{1:012x}:8000")
    page = service_page(Told("orders", FLEET, (heard("a", late, server(7)),), RECORDS[:1]))
    rows = {row["id"]: row for row in page.document["instances"]}
    assert rows[f"{1:012x}"]["slot"] == "late"
    assert (rows[f"{7:012x}"]["host"], rows[f"{7:012x}"]["state"]) == (None, "UP")


def test_what_no_haproxy_has_is_said() -> None:
    answer = Heard("a", "discover", Answer("nothing", "HAProxy runs nothing of it"), 0.1, 7)
    page = service_page(Told("orders", FLEET, (answer,), RECORDS[:1]))
    assert page.said == "no HAProxy has it, though it is published"
    assert page.document["instances"][0]["state"] == "not in HAProxy"


def test_settings_say_who_set_them() -> None:
    def by(*answers: Heard, **changes: Any) -> dict[str, str]:
        record = Published("h1", instance(1, "orders", **changes), created=5)
        rows = setting_rows((record, RECORDS[1]), answers)
        return {row["setting"]: f"{row['value']} | {row['by']}" for row in rows}

    found = by(registered(service_port="label SERVICE_PORT"), service_port=8080, weight=50)
    assert found["port"] == "8080 | label SERVICE_PORT of orders-1 on h1"
    assert found["weight"] == "50 | orders-1 on h1"
    assert found["check"] == "tcp | default"
    assert found["balance"] == "None | default"

    found = by(service_port=None, port_reserved=True, check=Check(kind="http", path="/health"))
    assert found["port"] == "assigned | its own port, 8000, is one of RESERVED_PORTS"
    assert found["check"] == "http /health | orders-1 on h1"

    found = by(registered(mode="variable SERVICE_MODE"), mode="tcp", hash_header="x-user")
    assert found["mode"] == "tcp | variable SERVICE_MODE of orders-1 on h1"
    assert found["balance"] == "hash:x-user | orders-1 on h1"


def test_the_oldest_real_instance_decides() -> None:
    page = service_page(Told("orders", FLEET, (heard("a", server(1)),), RECORDS))
    shown = "\n".join(lines_of(page))
    assert "balance  leastconn  orders-1 on h1" in shown
    assert "timeout" not in shown


def test_the_same_on_several_hosts_is_one_problem() -> None:
    steps = [
        Step("✗", "a", "orders is DOWN for 5s: refused"),
        Step("✗", "b", "orders is DOWN for 7m: refused"),
        Step("✓", "b", "fine"),
        Step("✗", "b", "another"),
    ]
    assert [(it.host, it.text) for it in problems_of(steps)] == [
        ("a,b", "orders is DOWN for 5s: refused"),
        ("b", "another"),
    ]
