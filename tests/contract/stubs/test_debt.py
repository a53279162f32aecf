"""Which services are served by stubs, as docker-discover tells it: real etcd, real HAProxy."""

import re
from dataclasses import replace
from typing import Any

from tests.parts.backend import backend
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import instance
from tests.parts.wait import wait_for


def stubs(discover: Discover) -> dict[str, Any]:
    debt: dict[str, Any] = discover.explain()["stubs"]
    return debt


def metric(discover: Discover, name: str) -> float:
    metrics = get(discover.metrics, "/metrics")[1]
    found = re.search(rf"^{name} (\S+)$", metrics, re.MULTILINE)
    assert found, metrics
    return float(found[1])


def test_the_debt_is_told_with_its_calls_over_reloads_and_restarts(
    discover: Discover, etcd: Etcd
) -> None:
    with backend("stub") as stub_port, backend("real") as real_port, backend("other") as other_port:
        port, other = free_port(), free_port()
        stub = instance(
            1,
            "orders",
            address="127.0.0.1",
            port=stub_port,
            service_port=port,
            mode="http",
            role="stub",
        )
        real = replace(stub, port=real_port, role="real", container="b" * 64)
        publish(etcd, stub)
        wait_for(lambda: get(port) == (200, "stub"), 10, "the stub answers")
        wait_for(lambda: "orders" in stubs(discover), 5, "the debt is told")
        base = stubs(discover)["orders"]["calls"]
        for _ in range(5):
            get(port)
        assert stubs(discover)["orders"]["calls"] == base + 5
        discover.wait_said("only stubs serve from now on services=orders")

        publish(etcd, replace(stub, service="other", service_port=other, port=other_port))
        wait_for(lambda: get(other) == (200, "other"), 10, "a reload has brought another one")
        wait_for(lambda: "other" in stubs(discover), 5, "and its debt is told")
        discover.stop()
        discover.start()
        discover.wait_ready()
        told = stubs(discover)["orders"]
        assert (told["calls"], told["instances"]) == (base + 5, 1)
        assert metric(discover, "tandem_discover_stubbed_services") == 2
        assert metric(discover, "tandem_discover_stubbed_calls") >= base + 5
        assert discover.log.count("only stubs serve from now on services=orders") == 1

        publish(etcd, real)
        wait_for(lambda: get(port) == (200, "real"), 10, "the real one answers")
        wait_for(lambda: list(stubs(discover)) == ["other"], 5, "the debt is paid")
        discover.wait_said("real instances take over from stubs services=orders")

        withdraw(etcd, real)
        wait_for(lambda: get(port) == (200, "stub"), 10, "the stub is back")
        wait_for(lambda: "orders" in stubs(discover), 5, "and told")
        assert stubs(discover)["orders"]["calls"] < base + 5
        assert stubs(discover)["orders"]["since"] >= told["since"]
