"""Whether what is waited for is so: every condition, from what is laid out and HAProxy's states."""

from dataclasses import replace
from typing import Any

import pytest

from catalog.asking.goal import goal_of
from discover.answers.proxy_facts import Stats
from discover.answers.until import left_in, names_of, needs_states, old_workers, row_of
from discover.apply.running import Running
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

REAL = instance(10, "orders", service_port=8080)
OTHER = instance(11, "orders", service_port=8080, address="10.0.0.2", port=32002, state="draining")
STUB = instance(12, "pets", service_port=8081, address="10.0.0.3", role="stub")
CONFIG = config_of(snapshot(REAL, OTHER, STUB))
RUNNING = Running(config=CONFIG)
ORDERS, PETS = (
    next(it for it in CONFIG.listeners if it.service == name) for name in ("orders", "pets")
)
UP = {"status": "UP"}
DOWN = {"status": "DOWN", "check_status": "L7STS", "check_code": "503", "last_chk": "Unavailable"}


def stats(**of_servers: dict[str, str]) -> Stats:
    """Return states of 0000…a (called), …b (draining), …c (a stub), and of a slot without one."""
    every = {it.name: each.name for each in (ORDERS, PETS) for it in each.servers}
    full = {
        next((it for it in every if it[11] == key[1]), "slot-9"): it
        for key, it in of_servers.items()
    }
    return {(every.get(name, ORDERS.name), name): columns for name, columns in full.items()}


def row(goal: str, what: str, seen: Stats, running: Running = RUNNING, left: int = 0) -> Any:
    (name,) = names_of(running, [what])
    return row_of(running, goal_of(goal), name, seen, left)


@pytest.mark.parametrize(
    ("goal", "what", "seen", "is_so"),
    [
        ("ready", "orders", stats(sa=UP), True),
        ("ready", "orders", stats(sa=DOWN, sb=UP), False),
        ("ready=2", "orders", stats(sa=UP, sb=UP), False),
        ("ready", "pets", stats(sc=UP), False),
        ("real", "orders", stats(sa=UP), True),
        ("ready", "nobody", {}, False),
        ("stub", "pets", stats(sc=UP), True),
        ("stub", "pets", stats(sc=DOWN), False),
        ("stub", "orders", stats(sa=UP), False),
        ("gone", "orders", {}, False),
        ("gone", "nobody", {}, True),
        ("draining", "orders", {}, True),
        ("draining", "00000000000b", {}, True),
        ("draining", "00000000000a", {}, False),
        ("draining", "nobody", {}, False),
        ("idle", "orders", stats(sa={"scur": "5"}, sb={"scur": "0"}), True),
        ("idle", "orders", stats(sb={"scur": "1"}), False),
        ("idle", "orders", stats(sb={"used_conn_cur": "2"}), False),
        ("idle", "orders", stats(s9={"scur": "1"}), False),
        ("idle", "00000000000b", stats(s9={"scur": "1"}), True),
        ("idle", "00000000000a", stats(sa={"scur": "0"}), False),
        ("idle", "nobody", {}, True),
    ],
)
def test_each_condition(goal: str, what: str, seen: Stats, is_so: bool) -> None:
    found = row(goal, what, seen)
    assert found["is"] == is_so
    assert found["name"] == what


def test_a_row_says_what_its_last_check_saw() -> None:
    found = row("ready", "orders", stats(sa=DOWN))
    assert found["said"] == f"{REAL.address}:{REAL.port} is DOWN: L7STS/503 Unavailable"
    assert (found["of"], found["draining"]) == (1, 1)


def test_haproxy_is_asked_only_where_it_has_to_be() -> None:
    there, away = names_of(RUNNING, ["orders"]), names_of(RUNNING, ["nobody"])
    for word in ("ready", "real", "stub", "idle"):
        assert needs_states(goal_of(word), there)
        assert not needs_states(goal_of(word), away)
    assert not needs_states(goal_of("gone"), there)
    assert not needs_states(goal_of("draining"), there)


def test_connections_of_old_workers_count_by_address() -> None:
    table = (
        "# pxname,svname,scur,last_chk,addr,\n"
        f'{ORDERS.name},slot-1,3,"all, well",{REAL.address}:{REAL.port},\n'
        f"{ORDERS.name},slot-2,4,,10.0.0.2:32002,\n"
        f"{ORDERS.name},slot-3,8,,10.0.0.9:1,\n"
        f"{PETS.name},slot-1,16,,10.0.0.9:2,\n"
    )
    names = names_of(RUNNING, ["orders", "00000000000b", "nobody"])
    left = left_in([table, "no such worker"], names, RUNNING)
    assert left == {"orders": 12, "00000000000b": 4, "nobody": 0}
    assert not row("idle", "orders", {}, left=12)["is"]

    calm = replace(RUNNING, config=config_of(snapshot(REAL)))
    assert left_in([table], names_of(calm, ["orders"]), calm) == {"orders": 12}


def test_old_workers_are_found_among_the_processes() -> None:
    said = (
        "#<PID>          <type>          <reloads>       <uptime>        <version>\n"
        "11              master          2               0d00h00m02s     3.0.11\n"
        "# workers\n"
        "31              worker          0               0d00h00m01s     3.0.11\n"
        "# old workers\n"
        "21              worker          1               0d00h00m02s     3.0.11\n"
        "22              worker          2               0d00h00m02s     3.0.11\n"
        "# programs\n"
        "41              worker          0               0d00h00m02s     -\n\n"
    )
    assert old_workers(said) == ["21", "22"]
    assert old_workers("") == []
