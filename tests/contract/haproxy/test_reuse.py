"""Connections to instances that are kept, and those that are not, on real HAProxies."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from discover.text.slots import FEWEST_FREE
from tests.parts.haproxy import KINDS, get, running
from tests.parts.haproxy_site import Site
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.wait import wait_for

KEPT_S = 1.0  # longer than an idle connection is kept


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    tmp_path.chmod(0o755)
    with running(tmp_path, request.param) as haproxy:
        yield Site(haproxy)


@dataclass
class Told:
    """A server that tells which connection a request came on."""

    name: str = "web"
    single: bool = False  # whether it serves one connection at a time
    hangs_up: bool = False  # whether it ends a connection instead of answering its second request
    port: int = 0
    connections: set[int] = field(default_factory=set)

    def __enter__(self) -> "Told":
        told = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                own = self.client_address[1]
                if told.hangs_up and own in told.connections:
                    self.close_connection = True
                    return

                told.connections.add(own)
                text = told.name.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(HTTPServer if self.single else ThreadingHTTPServer):  # type: ignore[misc]
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A health check that hangs up at once is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    """A client that keeps its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        yield connection


def ask(connection: http.client.HTTPConnection, method: str = "GET") -> tuple[int, str]:
    connection.request(method, "/")
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({}, 2),
        ({"reuse": "safe"}, 2),
        ({"reuse": "always"}, 2),
        ({"reuse": "never"}, 8),
        ({"retry": "connect"}, 8),
        ({"retry": "connect", "reuse": "safe"}, 2),
    ],
    ids=str,
)
def test_a_client_that_keeps_its_connection(site: Site, asked: dict[str, Any], most: int) -> None:
    port = free_port()
    with Told() as web:
        site.reload(local(1, web.port, port, mode="http", **asked))

        with client(port) as kept:
            assert [ask(kept) for _ in range(8)] == [(200, "web")] * 8

    # HAProxy has two threads here at most, and each its own connections.
    assert len(web.connections) == 8 if most == 8 else len(web.connections) <= most


@pytest.mark.parametrize(("reuse", "own"), [("safe", True), ("always", False)])
def test_the_first_request_of_a_client_has_a_connection_of_its_own(
    site: Site, reuse: Any, own: bool
) -> None:
    port = free_port()
    with Told() as web:
        site.reload(local(1, web.port, port, mode="http", reuse=reuse))

        for _ in range(20):
            assert get(port) == (200, "web")

    assert (len(web.connections) == 20) is own


def test_who_came_without_a_free_slot_gets_a_connection_for_each_request(site: Site) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(Told(str(number))) for number in range(FEWEST_FREE + 2)]
        records = [
            local(number, web.port, port, mode="http") for number, web in enumerate(webs, start=1)
        ]
        site.reload(records[0])
        site.update(*records)
        late = webs[-1]

        with client(port) as kept:
            answers = [ask(kept)[1] for _ in range(8 * len(webs))]

    assert len(late.connections) == answers.count(late.name) == 8
    assert len(webs[0].connections) < answers.count(webs[0].name)


def test_a_get_on_a_connection_that_its_server_just_ended_goes_on_a_new_one(site: Site) -> None:
    port = free_port()
    with Told(hangs_up=True) as web:
        site.reload(local(1, web.port, port, mode="http"))

        with client(port) as kept:
            assert [ask(kept) for _ in range(10)] == [(200, "web")] * 10


def test_a_server_that_serves_one_connection_at_a_time_is_not_held_up(site: Site) -> None:
    port = free_port()
    with Told(single=True) as web:
        site.reload(local(1, web.port, port, mode="http"))

        with client(port) as kept:
            assert ask(kept) == (200, "web")
            began_s = time.monotonic()
            assert get(port) == (200, "web")

    assert time.monotonic() - began_s < KEPT_S


def test_an_instance_in_the_slot_of_another_gets_that_ones_calls_alone(site: Site) -> None:
    port = free_port()
    with Told("one") as one, Told("two") as two, Told("three") as three:
        first, second = (
            local(number, web.port, port, mode="http") for number, web in ((1, one), (2, two))
        )
        third = local(3, three.port, port, mode="http")
        site.reload(first, second)

        with client(port) as kept:
            assert {ask(kept)[1] for _ in range(4)} == {"one", "two"}
            site.update(second)
            assert {ask(kept)[1] for _ in range(4)} == {"two"}
            site.update(second, third)
            wait_for(lambda: ask(kept)[1] == "three", 5, "the new one is called")
            assert {ask(kept)[1] for _ in range(8)} == {"two", "three"}
