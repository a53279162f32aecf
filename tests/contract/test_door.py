"""HTTP_BIND and DOMAIN: one port for all http services, with a real etcd before it and a real HAProxy behind it."""

import contextlib
import http.client
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.backend import backend
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import free_port
from tests.parts.records import instance
from tests.parts.wait import wait_for


class Door(Discover):
    """A docker-discover with a door at `door`, for <service>.apps.test."""

    def __init__(self, folder: Path, etcd: Etcd) -> None:
        self.door = free_port()
        super().__init__(folder, etcd.endpoint, "--http-bind", f"127.0.0.1:{self.door}", "--domain", "apps.test")

    def get(self, host: str, path: str = "/", **headers: str) -> tuple[int, str]:
        """Return status and body of a GET for this host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.door, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def reaches(self, host: str, name: str, path: str = "/", within_s: float = 10) -> None:
        wait_for(lambda: self.get(host, path) == (200, name), within_s, f"{host}{path} is answered by {name}")


@pytest.fixture
def discover(etcd: Etcd) -> Iterator[Door]:
    # not in pytest's folder, which HAProxy's user may not enter: the socket of the pages is in it
    with tempfile.TemporaryDirectory(prefix="door-") as folder:
        it = Door(Path(folder), etcd)
        it.start()
        try:
            it.wait_ready()
            yield it
        finally:
            it.end()


def web(number: int, service: str, port: int, service_port: int, **changes):
    return instance(number, service, address="127.0.0.1", port=port, service_port=service_port, mode="http", **changes)


def test_hosts_and_paths_lead_to_their_service(etcd, discover):
    port = free_port()
    with backend("shop") as shop, backend("api") as api, backend("any") as any_:
        publish(etcd, web(1, "shop", shop, port, hosts=("shop.example", "www.example")))
        discover.reaches("shop.apps.test", "shop")
        discover.wait_said(f"new listen shop:{port}")
        reloads = discover.reloads()

        # neither has a port of its own
        publish(etcd, web(2, "api", api, port, hosts=("shop.example",), paths=("/api", "/v1/items/")))
        publish(etcd, web(3, "any", any_, port, hosts=("*.shop.example",)))
        discover.reaches("api.apps.test", "api")
        discover.reaches("x.shop.example", "any")

        assert discover.get("shop.example") == (200, "shop")
        assert discover.get("WWW.Example:8080") == (200, "shop")
        assert discover.get("www.example.") == (200, "shop")
        assert [discover.get("shop.example", path)[1] for path in ("/api", "/api/", "/api?x", "/api/x", "/apiary")] == [
            *["api"] * 4,
            "shop",
        ]
        assert [discover.get("shop.example", path)[1] for path in ("/v1/items", "/v1/items/3", "/v1")] == [
            *["api"] * 2,
            "shop",
        ]
        assert [discover.get(host)[0] for host in ("shop.test", "y.x.shop.example", "apps.test", "")] == [404] * 4
        assert discover.reloads() == reloads
        discover.wait_said(f"it is reached at http://api.apps.test:{discover.door}/")


def test_pages_say_what_is_known(etcd, discover):
    port = free_port()
    with backend("orders") as orders, backend("bills") as bills:
        one = web(1, "orders", orders, port, hosts=("orders.example",))
        publish(etcd, one, web(2, "bills", bills, port, hosts=("bills.example",), paths=("/api",)))
        discover.reaches("orders.apps.test", "orders")
        discover.reaches("bills.example", "bills", "/api")

        status, text = discover.get("order.apps.test")
        assert (status, text.splitlines()[0]) == (404, "No service is known as order.apps.test")
        assert f"http://orders.apps.test:{discover.door}\n" in text
        assert "bills" not in text
        status, text = discover.get("a<script>.test", Accept="text/html,*/*")
        assert (status, "<script>" in text, "<h1>No service is known as a&lt;script&gt;.test</h1>" in text) == (
            404,
            0,
            1,
        )
        status, text = discover.get("bills.example", "/other")
        assert (status, text) == (404, "No service has this path of bills.example\nKnown there are /api.\n")

        withdraw(etcd, one)
        wait_for(lambda: discover.get("orders.example")[0] == 503, 10, "it is empty")
        status, text = discover.get("orders.example")
        assert text.startswith("orders has no instance now\nThere is none since 20")
        assert f"at 127.0.0.1 port {orders}, in container 000000000001." in text
        assert discover.get("order.apps.test", **{"X-Tandem-Backend": "orders:1"})[0] == 404


def test_without_docker_discover_there_are_plain_pages(etcd, discover):
    with backend("orders") as orders, backend("other") as other:
        one = web(1, "orders", orders, free_port())
        publish(etcd, one, web(2, "other", other, free_port()))
        discover.reaches("orders.apps.test", "orders")
        withdraw(etcd, one)
        wait_for(lambda: discover.get("orders.apps.test")[0] == 503, 10, "it is empty")
        discover.reaches("other.apps.test", "other")

        discover.kill()

        assert discover.get("orders.apps.test") == (
            503,
            "The service behind orders.apps.test has no instance that can be called now.\n",
        )
        assert discover.get("nothing.apps.test") == (404, "No service is known as nothing.apps.test here.\n")
        assert discover.get("other.apps.test") == (200, "other")
