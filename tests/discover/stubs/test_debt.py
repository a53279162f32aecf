"""Which services are served by stubs, and how their calls are counted over reloads and changes."""

from dataclasses import replace
from typing import Any

import pytest

from discover.model.proxy_config import Process, ProxyConfig, Server
from discover.stubs.debt import Debt, Debts, StubbedServices, counts_of, questions
from discover.text.sample import sample

PROCESS = Process(stats=None, admin_socket="/run/admin.sock", maxconn=1000, user=None, group=None)
LISTENER = replace(sample(PROCESS).listeners[0], name="a:80", service="a", port=80)
REAL = Server("real:80", "10.0.0.1:80", 100, draining=False, backup=False, cookie="")
STUB = replace(REAL, name="stub:80", backup=True, stub=True)


def config(*servers: Server, name: str = "a:80", service: str = "a") -> ProxyConfig:
    return ProxyConfig(PROCESS, (replace(LISTENER, name=name, service=service, servers=servers),))


TABLE = [
    ("only a stub", (STUB,), True),
    ("a real one", (STUB, REAL), False),
    ("no stub", (REAL,), False),
    ("nobody", (), False),
    ("the real one drains", (STUB, replace(REAL, draining=True)), True),
    ("the real one has no weight", (STUB, replace(REAL, weight=0)), True),
    ("the stub drains too", (replace(STUB, draining=True), replace(REAL, draining=True)), False),
    ("pin", (replace(STUB, backup=False), replace(REAL, backup=True)), True),
    ("share", (replace(STUB, backup=False, weight=5), REAL), False),
    (
        "real ones far away are spares too",
        (replace(STUB, weight=0), replace(REAL, backup=True)),
        False,
    ),
]


@pytest.mark.parametrize(
    ("servers", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_service_is_stubbed_while_nobody_else_is_called(servers: Any, expected: Any) -> None:
    assert StubbedServices().among(config(*servers), {}) == (
        {"a": ("a:80/stub:80",)} if expected else {}
    )


def test_two_ports_of_a_service_are_one_debt_and_the_same_listener_is_not_looked_at_again() -> None:
    one, two = config(STUB).listeners[0], config(STUB, name="a:81").listeners[0]
    services = StubbedServices()

    for _ in range(2):
        assert services.among(ProxyConfig(PROCESS, (one, two)), {}) == {
            "a": ("a:80/stub:80", "a:81/stub:80")
        }
    assert services.among(config(REAL), {}) == {}


def test_the_time_stays_and_calls_of_another_time_do_not_count() -> None:
    first = Debts().learn({"a": ("x",)}, 5.0).counted_from(Debts(), {}, {"x": 7})
    assert first.by_service["a"].since_s == 5.0
    assert first.by_service["a"].calls({"x": 9}) == 2

    other = first.learn({"a": ("y",), "b": ("z",)}, 6.0).counted_from(first, {"x": 9}, {"y": 30})

    assert other.by_service["a"].since_s == 5.0
    assert other.by_service["a"].calls({"x": 100, "y": 31}) == 3
    assert other.by_service["b"].calls({"z": 1}) == 1


def test_calls_are_carried_over_a_reload_and_a_haproxy_that_starts_anew() -> None:
    debts = Debts({"a": Debt(5.0, ("x",), carried=-3)}).carrying({"x": 10})

    assert debts.by_service["a"].calls({"x": 0}) == 7
    assert debts.by_service["a"].calls({}) == 7
    assert Debt(5.0, ("x",), carried=-3).calls({"x": 1}) == 0


def test_haproxy_is_asked_for_each_proxy_once() -> None:
    assert questions(["b:1/x", "a:80/x", "a:80/y"]) == ("show stat a:80 4 -1", "show stat b:1 4 -1")


def test_sessions_are_read_from_show_stat() -> None:
    answer = (
        "# pxname,svname,qcur,stot,bin,\na:80,stub:80,0,12,5,\na:80,BACKEND,0,,5,\n\n"
        "# pxname,svname,stot,\nb:1,x,3,\n"
    )

    assert counts_of(answer) == {"a:80/stub:80": 12, "b:1/x": 3}
    assert counts_of("No such proxy.\n\n") == {}
