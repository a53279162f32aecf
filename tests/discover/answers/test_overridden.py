"""What draining leaves, by what HAProxy calls: stubs, checks and old workers are told apart."""

from typing import Any

import pytest

from discover.answers.overridden import concerned, instances_on, rows_left, target_of
from discover.answers.proxy_facts import all_listeners
from discover.apply.running import Running
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

FIRST, SECOND, STUB = (f"{number:012x}:8000" for number in (1, 2, 3))
SNAPSHOT = snapshot(
    instance(1, "orders"),
    instance(2, "orders", address="10.0.0.2", port=32002),
    instance(3, "orders", role="stub", address="10.0.0.3"),
    instance(4, "pets", service_port=8081, address="10.0.0.4"),
)
RUNNING = Running(config=config_of(SNAPSHOT))
UP = {"status": "UP", "scur": "2"}


def rows(arguments: dict[str, str], on_host: frozenset[str], **states: str) -> list[Any]:
    servers = concerned(RUNNING, target_of(arguments), on_host)
    listeners = [it for it in all_listeners(RUNNING) if it.name in servers]
    name = listeners[0].name
    stats = {
        (it.name, server.name): {**UP, "status": states.get(server.name[10:12], "UP")}
        for it in listeners
        for server in it.servers
    }
    old = {
        (name, "slot-7"): {"addr": "10.0.0.1:32001", "scur": "3"},
        (name, "slot-8"): {"addr": "10.9.9.9:1", "scur": "4"},
    }
    return list(rows_left(RUNNING, listeners, servers, stats, [old]))


def test_the_instances_of_a_host_are_those_of_its_records() -> None:
    assert instances_on(SNAPSHOT, "h1") == {FIRST, SECOND, STUB, f"{4:012x}:8000"}
    assert instances_on(SNAPSHOT, "h2") == frozenset()


def test_one_of_two_leaves_the_other_and_connections_of_old_workers_count() -> None:
    (row,) = rows({"instance": "000000000001"}, frozenset())
    assert row["instances"] == [FIRST]
    assert (row["up"], row["left"], row["stubs_left"]) == (1, 1, 1)
    assert row["sessions"] == 2 + 3


def test_a_host_leaves_what_others_have_for_each_service() -> None:
    on_host = frozenset({FIRST, f"{4:012x}:8000"})
    orders, pets = rows({"host": "h1"}, on_host)
    assert (orders["service"], orders["left"]) == ("orders", 1)
    assert (pets["service"], pets["left"], pets["stubs_left"]) == ("pets", 0, 0)

    (only,) = rows({"host": "h1", "service": "orders"}, on_host)
    assert only["instances"] == [FIRST]


@pytest.mark.parametrize(("second", "left"), [("UP", 1), ("DOWN", 0), ("no check", 1)])
def test_what_is_down_is_nothing_left(second: str, left: int) -> None:
    (row,) = rows({"instance": "000000000001"}, frozenset(), **{"02": second})
    assert row["left"] == left


def test_what_is_not_there_concerns_nothing() -> None:
    assert concerned(RUNNING, target_of({"instance": "beef00000000"}), frozenset()) == {}
    assert concerned(RUNNING, target_of({"host": "h9"}), frozenset()) == {}
