"""Which instance a call goes to, as callers see it: real etcd, real HAProxy, real backends."""

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path

import grpc
import pytest

from catalog.records.record import Check
from tests.parts.backend import backend, backends, echo
from tests.parts.caller import TcpClient
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import entry, local
from tests.parts.wait import wait_for


def calls(port: int, times: int = 12, **headers: str) -> Counter[str]:
    """Return who answered, each call on a connection of its own."""
    found: Counter[str] = Counter()
    for _ in range(times):
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/", headers=headers)
        found[connection.getresponse().read().decode()] += 1
        connection.close()
    return found


def status(discover: Discover, listener: str) -> str:
    """Return what HAProxy's page says of the one server of a listener: UP or DOWN."""
    rows = [row.split(",") for row in get(discover.stats, "/;csv")[1].splitlines()]
    servers = [row for row in rows if row[0] == listener and row[1].startswith("slot-")]
    [found] = [row[17] for row in servers if row[17] != "MAINT"]
    return found


def test_a_real_instance_takes_over_from_a_stub_on_a_connection_that_stays(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    with backends("stub", "real") as (stub, real):
        publish(etcd, local(1, stub, port, role="stub", mode="http"))
        wait_for(lambda: get(port) == (200, "stub"), 10, "the stub answers")
        discover.wait_said(f"whoami:{port}")
        client, reloads = HTTPConnection("127.0.0.1", port, timeout=5), discover.reloads()

        def ask() -> str:
            client.request("GET", "/")
            return client.getresponse().read().decode()

        ask()
        own = client.sock
        for number in range(2, 5):
            publish(etcd, it := local(number, real, port, mode="http"))
            wait_for(lambda: ask() == "real", 5, "the real one takes over")
            withdraw(etcd, it)
            wait_for(lambda: ask() == "stub", 5, "the stub is back")

        assert client.sock is own, "no reconnect"
        assert discover.reloads() == reloads
        client.close()


@pytest.mark.parametrize(("policy", "reconnects"), [("supersede", 1), ("fallback", 0)])
def test_a_tcp_client_of_a_stub_is_told_once(
    etcd: Etcd, discover: Discover, policy: str, reconnects: int
) -> None:
    port = free_port()
    with echo("stub") as stub, echo("real") as real:
        publish(etcd, local(1, stub, port, role="stub", stub_policy=policy))
        discover.wait_said(f"whoami:{port}")
        line = TcpClient(port)
        assert line.ask() == "stub"

        publish(etcd, local(2, real, port))
        discover.wait_said(f"whoami:{port} +000000000002")

        if reconnects:
            wait_for(lambda: line.ask() == "real", 5, "the client is sent to the real one")
        fresh = TcpClient(port)
        assert (line.ask(), fresh.ask()) == ("real" if reconnects else "stub", "real")
        assert line.connects == 1 + reconnects
        assert discover.reloads() == 1 + 1, "the start, and the new service"
        line.close()
        fresh.close()


def test_stubs_beside_real_instances(etcd: Etcd, discover: Discover) -> None:
    pinned, shared = free_port(), free_port()
    with backends("stub", "real", "stub2", "real2") as (stub, real, stub2, real2):
        publish(etcd, local(1, stub, pinned, "pinned", role="stub", stub_policy="pin", mode="http"))
        publish(etcd, local(2, real, pinned, "pinned", mode="http"))
        publish(
            etcd,
            local(3, stub2, shared, "shared", role="stub", stub_policy="share=25%", mode="http"),
        )
        publish(etcd, local(4, real2, shared, "shared", mode="http"))
        discover.wait_said("shared:" + str(shared))

        wait_for(lambda: calls(pinned) == {"stub": 12}, 10, "a pinned stub keeps its callers")
        wait_for(
            lambda: calls(shared, 40) == {"stub2": 10, "real2": 30},
            10,
            "a quarter goes to the stub",
        )


def test_near_instances_are_called_first_and_far_ones_when_they_are_gone(
    etcd: Etcd, tmp_path: Path
) -> None:
    port = free_port()
    (folder := tmp_path / "near").mkdir()
    tmp_path.chmod(0o755)
    near = Discover(folder, etcd.endpoint, "--zone", "a", "--host-id", "h1")
    with near as discover, backends("far", "zone") as (far, zone):
        with backend("here") as here:
            for host, record in (
                ("h1", local(1, here, port, mode="http", locality="host")),
                ("h2", local(2, zone, port, mode="http", locality="host", zone="a")),
                ("h3", local(3, far, port, mode="http", locality="host", zone="b")),
            ):
                it = entry(record, host=host)
                etcd.ctl("put", it.key, it.value.decode())
            discover.wait_said(f"whoami:{port} +000000000003")
            wait_for(lambda: calls(port) == {"here": 12}, 10, "the one on this host")
        # Its server has gone without a word: no call is lost.
        assert set(calls(port, 6)) <= {"zone", "far"}
        wait_for(lambda: calls(port)["zone"] >= 11, 10, "its zone")
        assert discover.reloads() == 2


def test_a_canary_gets_the_calls_that_ask_for_it(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backends("old", "new") as (old, new):
        publish(
            etcd,
            local(1, old, port, mode="http"),
            local(2, new, port, mode="http", canary="X-Canary", weight=0),
        )
        wait_for(
            lambda: calls(port, 6, **{"X-Canary": "yes"}) == {"new": 6},
            10,
            "the canary is asked for",
        )

        assert calls(port) == {"old": 12}

        publish(
            etcd, local(2, new, port, mode="http", canary="X-Canary", weight=0, state="draining")
        )
        wait_for(
            lambda: calls(port, 6, **{"X-Canary": "yes"}) == {"old": 6}, 10, "the canary is gone"
        )


def test_the_same_header_goes_to_the_same_instance(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backends("a", "b", "c") as (a, b, c):
        for number, it in enumerate((a, b, c), start=1):
            publish(etcd, local(number, it, port, mode="http", hash_header="X-User"))
        wait_for(
            lambda: (
                len(set(chain(*(calls(port, 1, **{"X-User": f"u{n}"}) for n in range(20))))) == 3
            ),
            10,
            "all",
        )

        assert all(len(calls(port, 5, **{"X-User": f"u{n}"})) == 1 for n in range(10))


def test_one_instance_gets_no_more_connections_than_it_said(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with echo("one") as one:
        publish(etcd, local(1, one, port, maxconn=1, slow_start_ms=2000))
        discover.wait_said(f"whoami:{port}")
        first = TcpClient(port)
        assert first.ask() == "one"
        second = socket.create_connection(("127.0.0.1", port), timeout=0.3)
        second.sendall(b"?\n")
        with pytest.raises(TimeoutError):
            second.recv(10)

        first.close()

        second.settimeout(5)
        assert second.recv(10) == b"one\n"
        second.close()


@contextmanager
def grpc_server(status: int) -> Iterator[int]:
    """Run a gRPC server whose health service answers with this status; gives its port."""
    answer = bytes((0x08, status))  # grpc.health.v1.HealthCheckResponse: field 1, a number
    check = grpc.unary_unary_rpc_method_handler(lambda request, context: answer)
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_a_grpc_server_is_up_when_it_says_that_it_serves(etcd: Etcd, discover: Discover) -> None:
    up, down = free_port(), free_port()
    check = Check(grpc=True, interval_ms=100, host="whoami")

    with grpc_server(1) as serving, grpc_server(2) as not_serving:
        publish(
            etcd,
            local(1, serving, up, "up", check=check),
            local(2, not_serving, down, "down", check=check),
        )
        discover.wait_said(f"down:{down}")
        discover.wait_said(f"up:{up}")

        wait_for(lambda: status(discover, f"down:{down}") == "DOWN", 10, "NOT_SERVING is down")
        assert status(discover, f"up:{up}") == "UP"


def test_an_http_check_wants_the_status_that_was_asked_for(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    check = Check("http", "/fail", interval_ms=100, status="500", host="up.example")
    other = Check("http", "/fail", interval_ms=100, status="200-299")

    with backend("one") as one:
        publish(etcd, local(1, one, port, mode="http", check=check))
        discover.wait_said(f"whoami:{port}")
        publish(etcd, local(1, one, port, mode="http", check=other))
        wait_for(lambda: status(discover, f"whoami:{port}") == "DOWN", 10, "500 is not asked for")
        publish(etcd, local(1, one, port, mode="http", check=check))
        wait_for(lambda: status(discover, f"whoami:{port}") == "UP", 10, "500 is asked for")
