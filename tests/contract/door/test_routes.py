"""HTTP_BIND and DOMAIN: one port for all http services, with a real etcd before it and a real
HAProxy behind it.
"""

from collections.abc import Iterator

import pytest

from tests.parts.backend import backend
from tests.parts.discover import discover_command, publish, withdraw
from tests.parts.door import Door, opened, web
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.wait import wait_for


@pytest.fixture
def discover(etcd: Etcd) -> Iterator[Door]:
    with opened(etcd) as door:
        yield door


def test_hosts_and_paths_lead_to_their_service(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("shop") as shop, backend("api") as api, backend("any") as any_:
        publish(etcd, web(1, "shop", shop, port, hosts=("shop.example", "www.example")))
        discover.wait_answered("shop.apps.test", "shop")
        discover.wait_said(f"new listen shop:{port}")
        reloads = discover.reloads()

        # neither has a port of its own
        publish(
            etcd, web(2, "api", api, port, hosts=("shop.example",), paths=("/api", "/v1/items/"))
        )
        publish(etcd, web(3, "any", any_, port, hosts=("*.shop.example",)))
        discover.wait_answered("api.apps.test", "api")
        discover.wait_answered("x.shop.example", "any")

        assert discover.get("shop.example") == (200, "shop")
        assert discover.get("WWW.Example:8080") == (200, "shop")
        assert discover.get("www.example.") == (200, "shop")
        assert [
            discover.get("shop.example", path)[1]
            for path in ("/api", "/api/", "/api?x", "/api/x", "/apiary")
        ] == [
            *["api"] * 4,
            "shop",
        ]
        assert [
            discover.get("shop.example", path)[1] for path in ("/v1/items", "/v1/items/3", "/v1")
        ] == [
            *["api"] * 2,
            "shop",
        ]
        assert [
            discover.get(host)[0] for host in ("shop.test", "y.x.shop.example", "apps.test", "")
        ] == [404] * 4
        assert {discover.get("shop.example", path)[1] for path in ("//api", "/%61pi")} == {
            "shop"
        }  # as it was sent
        assert discover.reloads() == reloads


def test_pages_say_what_is_known(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("orders") as orders, backend("bills") as bills:
        one = web(1, "orders", orders, port, hosts=("orders.example",))
        publish(etcd, one, web(2, "bills", bills, port, hosts=("bills.example",), paths=("/api",)))
        discover.wait_answered("orders.apps.test", "orders")
        discover.wait_answered("bills.example", "bills", "/api")

        near = f"  http://orders.apps.test:{discover.door}\n"
        wait_for(
            lambda: near in discover.get("order.apps.test")[1],
            10,
            "there is time to look for what is near",
        )
        status, text = discover.get("order.apps.test")
        assert (status, text.splitlines()[0]) == (
            404,
            "No service has the host name order.apps.test",
        )
        assert "bills" not in text
        live = (*discover.flags, "--etcd-host", etcd.endpoint)
        shown = [discover_command(command, *live) for command in ("--render", "--diff", "--check")]
        assert [each.returncode for each in shown] == [0, 0, 0], shown
        assert f"# bills.example/api/ bills:{port}:door\n" in shown[0].stdout
        assert "+# bills.example/api/" in shown[1].stdout
        assert "-# bills.example/api/ seat-1\n" in shown[1].stdout, (
            "a reload would give it its own name"
        )

        status, text = discover.get("a<script>.test", Accept="text/html,*/*")
        assert (
            status,
            "<script>" in text,
            "<h1>No service has the host name a&lt;script&gt;.test</h1>" in text,
        ) == (
            404,
            0,
            1,
        )
        status, text = discover.get("bills.example", "/other")
        assert (status, text) == (
            404,
            "No service has this path on bills.example\nIts paths are /api.\n",
        )

        withdraw(etcd, one)
        wait_for(lambda: discover.get("orders.example")[0] == 503, 10, "it is empty")
        wait_for(lambda: "no instance now" in discover.get("orders.example")[1], 10, "that is said")
        status, text = discover.get("orders.example")
        assert text.startswith("orders has no instance now\nIt has had none since 20")
        assert f"at 127.0.0.1 port {orders}, in container 000000000001." in text
        assert discover.get("order.apps.test", **{"X-Tandem-Backend": "orders:1"})[0] == 404


def test_without_docker_discover_there_are_plain_pages(etcd: Etcd, discover: Door) -> None:
    with backend("orders") as orders, backend("other") as other:
        one = web(1, "orders", orders, free_port())
        publish(etcd, one, web(2, "other", other, free_port()))
        discover.wait_answered("orders.apps.test", "orders")
        withdraw(etcd, one)
        wait_for(lambda: discover.get("orders.apps.test")[0] == 503, 10, "it is empty")
        discover.wait_answered("other.apps.test", "other")

        discover.kill()

        assert discover.get("orders.apps.test") == (
            503,
            "The service behind orders.apps.test has no available instance now.\n",
        )
        assert discover.get("nothing.apps.test") == (
            404,
            "No service has the host name nothing.apps.test.\n",
        )
        assert discover.get("other.apps.test") == (200, "other")

        discover.start()
        discover.wait_ready()
        wait_for(
            lambda: "no instance now" in discover.get("orders.apps.test")[1],
            10,
            "it knows the service",
        )
        assert (
            f"The last one was at 127.0.0.1 port {orders}," in discover.get("orders.apps.test")[1]
        )


def test_pages_answer_requests_with_heads_of_any_kind(etcd: Etcd, discover: Door) -> None:
    # Python's server, which answers with the pages, takes 100 headers.
    many = {f"X-{number}": "1" for number in range(300)} | {"Accept": "text/html"}
    record = web(1, "gone", free_port(), free_port())
    publish(etcd, record)
    discover.wait_said("new listen gone")
    withdraw(etcd, record)

    wait_for(lambda: discover.get("gone.apps.test", **many)[0] == 503, 10, "it is empty")
    empty, unknown = (discover.get(f"{name}.apps.test", **many) for name in ("gone", "unknown"))

    assert "<html" in empty[1]
    assert (unknown[0], "<html" in unknown[1]) == (404, True)
    assert discover.get("unknown.apps.test", Cookie="a" * 13_000)[0] == 404
