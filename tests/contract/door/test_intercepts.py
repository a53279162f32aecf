"""Intercepts at the one HTTP port: calls are led away by host name and header, and back."""

import secrets
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from catalog.asking.ask import INTERCEPTS, Ask
from catalog.keys import OverrideKey, key_of
from catalog.overrides.override import Override, encode
from catalog.records.record import Check
from ctl.asking import Asking
from tests.parts.backend import backend
from tests.parts.discover import publish, withdraw
from tests.parts.door import Door, opened, web
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX
from tests.parts.servers import ECHO, grpc_server
from tests.parts.wait import wait_for

DEV = {"x-dev": "anna"}


@pytest.fixture
def discover(etcd: Etcd) -> Iterator[Door]:
    with opened(etcd) as door:
        yield door


def put(etcd: Etcd, service: str, to: int, **fields: Any) -> str:
    """Write an intercept that its end ends, and return its key."""
    override = Override(
        by="anna@box", to=f"127.0.0.1:{to}", until_s=4102444800, only=hosts(etcd), **fields
    )
    key = key_of(PREFIX, OverrideKey(service, secrets.token_hex(4)))
    etcd.ctl("put", key, encode(override).decode())
    return key


def hosts(etcd: Etcd) -> tuple[str, ...]:
    with Asking(etcd.access, PREFIX) as asking:
        return tuple({heard.host for heard in asking.ask(Ask(INTERCEPTS), 10)})


def rows(etcd: Etcd) -> list[dict[str, Any]]:
    """Return what HAProxy does of all intercepts that were written before."""
    with Asking(etcd.access, PREFIX) as asking:
        *_, last = asking.ask(
            Ask(INTERCEPTS),
            10,
            enough=lambda heard: heard.answer.facts["revision"] >= asking.revision,
        )
    return [dict(row) for row in last.answer.rows]


def test_calls_with_the_header_are_led_away_by_their_host_name(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two, backend("laptop") as laptop:
        record = web(2, "two", two, port)
        publish(etcd, web(1, "one", one, port), record)
        discover.wait_answered("one.apps.test", "one")
        discover.wait_answered("two.apps.test", "two")

        first = put(etcd, "one", laptop, header="x-dev=anna")
        assert [row.get("why") for row in rows(etcd)] == [None]
        assert discover.get("one.apps.test", **DEV) == (200, "laptop")
        assert discover.get("one.apps.test") == (200, "one")
        assert discover.get("two.apps.test", **DEV) == (200, "two")
        reloads = discover.reloads()

        # `two` has no port of its own, and a service that comes now has a spare backend.
        third = web(3, "three", one, port)
        publish(etcd, third)
        discover.wait_answered("three.apps.test", "one")
        second = put(etcd, "two", laptop, path="/api")
        put(etcd, "three", laptop)
        assert [row.get("why") for row in rows(etcd)] == [None] * 3
        assert discover.get("two.apps.test", "/api/x") == (200, "laptop")
        assert discover.get("two.apps.test", "/apiary") == (200, "two")
        assert discover.get("three.apps.test") == (200, "laptop")
        passed_on = {"X-Tandem-Intercepted": "three"}
        assert discover.get("three.apps.test", **passed_on) == (200, "one"), "no circle"
        running, file = discover.maps()
        assert running == file

        # Its own instances may all go meanwhile.
        withdraw(etcd, third)
        wait_for(lambda: not rows(etcd)[-1].get("why"), 10, "it goes on")
        assert discover.get("three.apps.test") == (200, "laptop")

        etcd.ctl("del", second)
        assert len(rows(etcd)) == 2
        assert discover.get("one.apps.test", **DEV) == (200, "laptop")
        assert discover.get("two.apps.test", "/api/x") == (200, "two")
        assert discover.reloads() == reloads

        # docker-discover's death leaves it as it is.
        discover.kill()
        assert discover.get("one.apps.test", **DEV) == (200, "laptop")
        discover.start()
        discover.wait_ready()
        assert discover.get("one.apps.test", **DEV) == (200, "laptop")
        etcd.ctl("del", first)
        rows(etcd)
        assert discover.get("one.apps.test", **DEV) == (200, "one")


def test_what_is_written_past_tandem_reaches_no_line_of_haproxy(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("one") as one, backend("laptop") as laptop:
        publish(etcd, web(1, "one", one, port))
        discover.wait_answered("one.apps.test", "one")
        good = put(etcd, "one", laptop, path="/a")
        value = etcd.ctl("get", good, "--print-value-only").strip()
        etcd.ctl("put", f"{good}1", value.replace("/a", "/b;show info"))
        etcd.ctl("put", f"{good}2", value.replace("127.0.0.1:", "127.0.0.1;x:"))
        etcd.ctl("put", f"{good}3", value.replace("anna@box", "anna;show info"))
        etcd.ctl("put", f"{good}4", value.replace(str(laptop), str(discover.door)))

        found = rows(etcd)
        whys = [row.get("why", "") for row in found]
        assert len(found) == 3
        assert (whys[0], "in a circle" in whys[2]) == ("", True), whys
        assert "intercepts the same calls" in whys[1]
        discover.wait_refused("NOT_INTERCEPTED", "in a circle")
        assert ";" not in discover.haproxy.config.read_text().split("backend intercept-http-1")[1]


def test_calls_over_http2_are_led_away_too(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with grpc_server() as there, grpc_server() as laptop, backend("other") as other:
        record = web(1, "rpc", there, port, proto="h2c", check=Check("none"))
        publish(etcd, record, web(2, "other", other, port))
        discover.wait_answered("other.apps.test", "other")
        put(etcd, "rpc", laptop, header="x-dev=anna")
        put(etcd, "other", there, header="x-dev=anna")
        assert [row.get("why") for row in rows(etcd)] == [None, None]
        withdraw(etcd, record)
        rows(etcd)

        options = [("grpc.default_authority", "rpc.apps.test"), ("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(f"127.0.0.1:{discover.door}", options) as channel:
            call = channel.unary_unary(f"{ECHO}Unary")
            assert call(b"hello", metadata=(("x-dev", "anna"),), timeout=10) == b"hello"
        assert "proto h2" in discover.haproxy.config.read_text().split("backend intercept-h2c-1")[1]
