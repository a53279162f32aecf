"""HTTP_BIND while things change: what takes no reload, and that HAProxy and its files never
disagree.
"""

import contextlib
import http.client
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc
import pytest

from catalog.records.record import Check, encode
from catalog.store import Store
from tests.parts.backend import backend
from tests.parts.discover import publish, withdraw
from tests.parts.door import Door, opened, web
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import key
from tests.parts.servers import ECHO, grpc_server
from tests.parts.store import put_all
from tests.parts.wait import wait_for

MANY = 1000


@pytest.fixture
def discover(etcd: Etcd) -> Iterator[Door]:
    with opened(etcd) as door:
        yield door


def test_names_come_and_go_without_a_reload_and_files_follow(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        first, second = web(1, "one", one, port), web(2, "two", two, port, hosts=("two.example",))
        publish(etcd, first)
        discover.wait_said(f"new listen one:{port}")
        reloads = discover.reloads()

        publish(etcd, second)
        discover.wait_answered("two.example", "two")
        publish(etcd, web(2, "two", two, port, hosts=("zwei.example",)))
        discover.wait_answered("zwei.example", "two")
        assert discover.get("two.example")[0] == 404
        running, file = discover.maps()
        assert running == file
        assert running["zwei.example/"] == running["two.apps.test/"] == "seat-1"
        assert discover.reloads() == reloads

        # A restart of HAProxy begins with what it had.
        before = set(discover.haproxy.pids())
        discover.haproxy.kill(signal.SIGKILL)
        wait_for(
            lambda: len(set(discover.haproxy.pids()) - before) > 1, 20, "another one is started"
        )
        discover.wait_answered("zwei.example", "two", within_s=20)
        # That HAProxy is reloaded once more, and its master answers nothing meanwhile.
        wait_for(discover.ready, 20, "nothing is due")

        # One of docker-discover gives names to what came meanwhile, by one reload.
        discover.kill()
        running, file = discover.maps()
        discover.haproxy.adapter.ask(
            f"@1 del map {next(discover.folder.glob('door-*.map')).name} zwei.example/"
        )
        assert discover.get("zwei.example")[0] == 404
        discover.start()
        discover.wait_answered("zwei.example", "two")
        wait_for(
            lambda: discover.maps()[0].get("two.apps.test/") == f"two:{port}:door",
            10,
            "its own name",
        )
        assert discover.maps()[0] == discover.maps()[1]

        withdraw(etcd, second)
        wait_for(
            lambda: "two has no instance now" in discover.get("zwei.example")[1], 10, "it is empty"
        )


def test_one_more_of_a_thousand_takes_no_reload(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("it") as it, backend("more") as more:
        store = Store(etcd.access)
        records = [
            web(n, f"s{n}", 20000 + n, port, address=f"127.1.{n // 250}.1") for n in range(2, MANY)
        ]
        put_all(store, {key(one): encode(one) for one in (web(1, "s1", it, port), *records)})
        store.close()
        discover.wait_answered("s1.apps.test", "it", within_s=60)
        wait_for(lambda: len(discover.maps()[0]) == MANY - 1, 60, "all are known")
        wait_for(discover.ready, 60, "nothing is due")
        reloads = discover.reloads()

        publish(etcd, web(MANY, "more", more, port))

        discover.wait_answered("more.apps.test", "more")
        publish(etcd, web(MANY, "more", more, port, hosts=("more.example",)))
        discover.wait_answered("more.example", "more")
        assert discover.reloads() == reloads
        running, file = discover.maps()
        assert (running == file, len(running)) == (True, MANY + 1)


class Told(BaseHTTPRequestHandler):
    """Says which headers came, or speaks another protocol if that is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers["Upgrade"]:
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", self.headers["Upgrade"])
            self.end_headers()
            while some := self.connection.recv(100):
                self.connection.sendall(some.upper())
            self.close_connection = True
            return
        body = "".join(
            f"{name.title()}: {value}\n" for name, value in self.headers.items()
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def telling() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Told) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def ills() -> Iterator[tuple[int, int]]:
    with backend("ill") as one, backend("iller") as other:
        yield one, other


def test_what_comes_through(etcd: Etcd, discover: Door) -> None:
    with (
        telling() as told,
        backend("usual") as usual,
        backend("canary") as canary,
        ills() as (ill, iller),
    ):
        port = free_port()
        publish(
            etcd,
            web(1, "told", told, port),
            web(2, "new", usual, port),
            web(3, "new", canary, port, weight=0, canary="X-Try=new"),
            web(4, "ill", ill, port, check=Check("http", "/fail", interval_ms=100)),
            web(
                5, "iller", iller, port, check=Check("http", "/fail", interval_ms=100), panic="off"
            ),
        )
        wait_for(lambda: discover.get("told.apps.test")[0] == 200, 10, "it answers")
        wait_for(
            lambda: discover.get("new.apps.test", **{"X-Try": "new"}) == (200, "canary"),
            10,
            "canaries are there",
        )

        said = discover.get("told.apps.test:99")[1]
        assert "Host: told.apps.test:99\n" in said
        assert "X-Forwarded-For: 127.0.0.1\n" in said
        assert "X-Forwarded-Proto: http\n" in said
        assert "X-Forwarded-Host: told.apps.test:99\n" in said
        assert f"X-Forwarded-Port: {discover.door}\n" in said
        before = {"For": "192.0.2.1", "Proto": "https", "Host": "a.example", "Port": "443"}
        said = discover.get(
            "told.apps.test", **{f"X-Forwarded-{name}": value for name, value in before.items()}
        )[1]
        assert [line for line in said.splitlines() if "Forwarded" in line] == [
            *(f"X-Forwarded-{name}: {value}" for name, value in before.items()),
            "X-Forwarded-For: 127.0.0.1",
        ]

        assert {discover.get("new.apps.test", **{"X-Try": "old"}) for _ in range(4)} == {
            (200, "usual")
        }
        assert {discover.get("new.apps.test") for _ in range(4)} == {(200, "usual")}

        # checks that all fail: one service is called all the same, as it would be at its own port,
        # the other is not
        wait_for(lambda: discover.get("iller.apps.test")[0] == 503, 10, "its check fails")
        assert (
            f"None of its 1 instances is available: 127.0.0.1 port {iller}."
            in discover.get("iller.apps.test")[1]
        )
        assert discover.get("ill.apps.test") == (200, "ill")

        with socket.create_connection(("127.0.0.1", discover.door), timeout=5) as client:
            client.sendall(
                b"GET / HTTP/1.1\r\nHost: told.apps.test\r\nConnection: Upgrade\r\nUpgrade: "
                b"echo\r\n\r\n"
            )
            assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
            for text in (b"hello", b"again"):
                client.sendall(text)
                assert client.recv(100) == text.upper()

        reloads = discover.reloads()
        with grpc_server() as there:
            publish(etcd, web(6, "grpc", there, port, proto="h2c", check=Check("none")))
            wait_for(lambda: discover.get("grpc.apps.test")[0] != 404, 10, "it is known")
            options = [("grpc.default_authority", "grpc.apps.test"), ("grpc.enable_http_proxy", 0)]
            with grpc.insecure_channel(f"127.0.0.1:{discover.door}", options) as channel:
                assert channel.unary_unary(f"{ECHO}Unary")(b"hello", timeout=10) == b"hello"
        assert discover.reloads() == reloads

        # a page is shown to who sends a large body to nobody
        connection = http.client.HTTPConnection("127.0.0.1", discover.door, timeout=5)
        connection.request("POST", "/", body=b"x" * 300_000, headers={"Host": "nobody.test"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:32]) == (404, b"No service has the host name nob")
        connection.close()


def test_a_kept_connection_is_led_anew_after_a_reload(etcd: Etcd, discover: Door) -> None:
    with backend("one") as one, backend("two") as two:
        publish(etcd, web(1, "one", one, free_port()))
        discover.wait_answered("one.apps.test", "one")
        kept = http.client.HTTPConnection("127.0.0.1", discover.door, timeout=5)
        kept.request("GET", "/", headers={"Host": "one.apps.test"})
        assert kept.getresponse().read() == b"one"
        socket_before = kept.sock

        publish(etcd, web(2, "two", two, free_port()))
        discover.wait_answered("two.apps.test", "two")

        assert kept.sock is socket_before
        kept.request("GET", "/", headers={"Host": "two.apps.test"})
        assert kept.getresponse().read() == b"two"
        kept.close()


def test_a_template_without_a_door_goes_on_and_it_is_said(etcd: Etcd, discover: Door) -> None:
    port = free_port()
    with backend("one") as one:
        publish(etcd, web(1, "one", one, port), web(2, "two", 9, port))
        discover.wait_answered("one.apps.test", "one")

        text = discover.template.read_text()
        begin, end = text.index("{% block door %}"), text.index("# A worker that a reload made old")
        discover.template.write_text(text[:begin] + text[end:])

        discover.wait_said(
            "no http services at HTTP_BIND: the template in use has no block `door`", 20
        )
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"one"
        connection.close()
        discover.template.write_text(text)
        discover.wait_answered("one.apps.test", "one", within_s=20)
