"""What is told of HAProxy: found by each name, with its own words for how a server is."""

from dataclasses import replace

import pytest

from discover.answers.proxy_facts import (
    counted,
    listeners_about,
    questions,
    refused_about,
    rows_about,
    service_row,
    stats_of,
)
from discover.apply.running import Running
from sidecar.status.problems import Problem
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

CONFIG = config_of(
    snapshot(
        instance(10, "orders", service_port=8080),
        instance(11, "orders", service_port=8080, address="10.0.0.2", port=32002),
        instance(12, "pets", service_port=8081),
    )
)
PETS = next(it for it in CONFIG.listeners if it.service == "pets")
ORDERS = replace(
    next(it for it in CONFIG.listeners if it.service == "orders"), routes=("orders.example.com/",)
)
RUNNING = Running(config=replace(CONFIG, listeners=(ORDERS, PETS)))

STAT = (
    "# pxname,svname,scur,status,weight,lastchg,check_status,last_chk,stot,econ,\n"
    f'{ORDERS.name},00000000000a:8000,3,UP,100,12,L4OK,"all, well",7,1,\n'
    f"{ORDERS.name},00000000000b:8000,0,DOWN,100,2,L4CON,refused,0,,\n\n"
)


@pytest.mark.parametrize(
    ("what", "services"),
    [
        ("orders", ["orders"]),
        ("8080", ["orders"]),
        ("orders:8080", ["orders"]),
        ("orders.example.com", ["orders"]),
        ("00000000000a", ["orders"]),
        ("0000", ["orders", "pets"]),
        ("10.0.0.2:32002", ["orders"]),
        ("pets", ["pets"]),
        ("808", []),
        ("order", []),
        ("", []),
    ],
)
def test_listeners_are_found_by_each_name(what: str, services: list[str]) -> None:
    assert [listener.service for listener in listeners_about(RUNNING, what)] == services


def test_rows_say_what_haproxy_says() -> None:
    stats = stats_of([STAT, "No such proxy.\n"])
    up, down = rows_about(RUNNING, [ORDERS], "orders", stats)
    assert (up["state"], up["check"], up["said"]) == ("UP", "L4OK", "all, well")
    assert (up["since_s"], up["sessions"], up["weight"]) == (12, 3, 100)
    assert (down["state"], down["check"]) == ("DOWN", "L4CON")
    assert counted(stats[ORDERS.name, "00000000000a:8000"])["stot"] == 7


def test_only_the_instance_that_is_asked_for() -> None:
    (row,) = rows_about(RUNNING, [ORDERS], "00000000000b", {})
    assert row["instance"] == "00000000000b:8000"
    assert row["state"] == "unknown"


def test_haproxy_is_asked_of_these_listeners_alone() -> None:
    assert questions([ORDERS, ORDERS]) == (f"@1 show stat {ORDERS.name} 4 -1",)


def test_what_is_refused_of_it() -> None:
    problems = {
        "/services/v1/hosts/h/instances/orders/00000000000c:80": Problem("PORT_CLAIMED", "no"),
        "pets": Problem("HOST_CLAIMED", "no"),
    }
    assert [row["code"] for row in refused_about(problems, "orders", ())] == ["PORT_CLAIMED"]
    assert [row["code"] for row in refused_about(problems, "00000000000c", ())] == ["PORT_CLAIMED"]
    assert not list(refused_about(problems, "ledger", ()))


def test_a_service_is_one_short_row() -> None:
    row = service_row(RUNNING, ORDERS, stats_of([STAT]))
    assert row == {
        "service": "orders",
        "port": 8080,
        "mode": "tcp",
        "up": 1,
        "real": 2,
        "why": "L4CON refused",
        "since_s": 2,
    }
    assert "since_s" not in service_row(RUNNING, ORDERS, stats_of([STAT]), with_since=False)

    all_up = STAT.replace(",DOWN,100,2,", ",UP,100,2,")
    assert service_row(RUNNING, ORDERS, stats_of([all_up]))["since_s"] == 12
