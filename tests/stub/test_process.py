"""Run docker-stub and call it: answers, wishes, edits, many slow answers at once, and its end."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.parts.ports import free_port
from tests.parts.wait import wait_for

OPENAPI = """
openapi: 3.0.3
paths:
  /pets/{pet-id}:
    get:
      responses:
        200: {content: {application/json: {example: {name: Rex}}}}
        404: {description: none}
  /orders:
    get: {responses: {200: {description: not this, 402: x}, 402: {description: pay}}}
"""
FILES = {
    "orders.json": '["all"]',
    "orders/{id}.json": '{"id": 1}',
    "orders.503.json": '{"error": "down"}',
    "POST/orders.201.json": '{"id": 2}',
    "DELETE/orders/{id}.yaml": "status: 204",
    "slow.yaml": "delay: 500ms\nbody: late",
    "bad.json": "{",
    "api.yaml": OPENAPI,
}


class Reply(NamedTuple):
    """A reply; `source` is its header X-Stub."""

    status: int
    source: str
    text: str


class Stub:
    """A docker-stub that runs as a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stub", str(folder), "--port", str(self.port)],
            stderr=subprocess.PIPE,
            text=True,
        )

    def connection(self) -> contextlib.closing[HTTPConnection]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        return contextlib.closing(connection)

    def ask(self, method: str, path: str, **headers: str) -> Reply:
        with self.connection() as connection:
            return exchange(connection, method, path, **headers)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def exchange(
    connection: HTTPConnection,
    method: str,
    path: str,
    body: str | None = None,
    **headers: str,
) -> Reply:
    """Make one request on a connection; a header's dashes are underscores here."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    return Reply(response.status, response.headers["X-Stub"], response.read().decode())


@contextlib.contextmanager
def running(path: Path) -> Iterator[Stub]:
    """Run docker-stub with a folder or a file, and end it."""
    stub = Stub(path)
    try:
        yield stub
    finally:
        stub.end()


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    folder = tmp_path_factory.mktemp("answers")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    with running(folder) as stub:
        wait_for(lambda: stub.ask("GET", "/orders").status == 200, 20, "it answers")
        yield stub


ASKED = [
    ("GET", "/orders", {}, (200, "orders.json", '["all"]')),
    ("GET", "/orders/", {}, (200, "orders.json", '["all"]')),
    ("GET", "/orders.json?page=2", {}, (200, "orders.json", '["all"]')),
    ("GET", "/orders/7", {}, (200, "orders/{id}.json", '{"id": 1}')),
    ("HEAD", "/orders", {}, (200, "orders.json", "")),
    ("POST", "/orders", {"body": "x" * 300_000}, (201, "POST/orders.201.json", '{"id": 2}')),
    ("DELETE", "/orders/7", {}, (204, "DELETE/orders/{id}.yaml", "")),
    ("GET", "/pets/7", {}, (200, "api.yaml", '{\n  "name": "Rex"\n}\n')),
    ("GET", "/pets/7?stub-status=404", {}, (404, "api.yaml", "")),
    ("GET", "/orders", {"X_Stub_Status": "503"}, (503, "orders.503.json", '{"error": "down"}')),
    ("GET", "/orders", {"X_Stub_Status": "402"}, (402, "api.yaml", "")),
]


@pytest.mark.parametrize(("method", "path", "headers", "expected"), ASKED)
def test_it_answers_by_path_and_method(
    stub: Stub,
    method: str,
    path: str,
    headers: dict[str, str],
    expected: tuple[int, str, str],
) -> None:
    assert stub.ask(method, path, **headers) == expected


def test_a_status_that_no_file_has_is_given_all_the_same(stub: Stub) -> None:
    status, source, _ = stub.ask("GET", "/orders", X_Stub_Status="429")

    assert (status, source) == (429, "docker-stub")


@pytest.mark.parametrize("asked", [{"X_Stub_Status": "oops"}, {"X_Stub_Delay": "soon"}])
def test_what_it_does_not_understand_is_said(stub: Stub, asked: dict[str, str]) -> None:
    status, _, text = stub.ask("GET", "/orders", **asked)

    assert status == 400
    assert "bad request to this stub" in text


def test_an_unknown_path_lists_what_there_is_and_what_was_refused(stub: Stub) -> None:
    status, source, text = stub.ask("GET", "/order")
    document = json.loads(text)

    assert (status, source) == (404, "docker-stub")
    assert document["near"][0] == "GET /orders 200 402 503"
    assert "GET /pets/{pet-id} 200 404" in document["has"]
    assert any(line.startswith("bad.json: line 1, column 2") for line in document["refused"])


def test_another_method_is_405(stub: Stub) -> None:
    with stub.connection() as connection:
        connection.request("PUT", "/orders")
        response = connection.getresponse()

        assert response.status == 405
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_a_hundred_slow_answers_take_as_long_as_one(stub: Stub) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(stub.ask, "GET", "/orders", X_Stub_Delay="1s") for _ in range(100)]
    took_s = time.monotonic() - began

    assert {future.result().status for future in asked} == {200}
    assert 1 <= took_s < 10
    assert stub.ask("GET", "/slow").text == "late"


def test_answers_on_a_kept_connection_wait_for_no_acknowledgement(stub: Stub) -> None:
    with stub.connection() as connection:
        times_s = []
        for _ in range(20):
            began = time.monotonic()
            exchange(connection, "GET", "/orders")
            times_s.append(time.monotonic() - began)

    assert sorted(times_s)[5] < 0.03


def test_an_edit_applies_to_the_next_request_of_a_kept_connection(stub: Stub) -> None:
    """And a file that is half written does not take the rest away."""
    new = stub.folder / "new.json"
    with stub.connection() as connection:

        def ask() -> Reply:
            return exchange(connection, "GET", "/new")

        assert ask().status == 404
        socket = connection.sock

        new.write_text('{"a":')
        wait_for(lambda: "new.json" in ask().text, 5, "it says that it is bad")

        new.write_text('{"a": 1}')
        wait_for(lambda: ask() == (200, "new.json", '{"a": 1}'), 5, "it is served")

        new.unlink()
        wait_for(lambda: ask().status == 404, 5, "it is gone")

        assert exchange(connection, "GET", "/orders").status == 200
        assert connection.sock is socket


def test_a_single_file_can_be_mounted_and_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pets.yaml"
    path.write_text(OPENAPI)
    with running(path) as stub:
        wait_for(lambda: stub.ask("GET", "/pets/1").source == "pets.yaml", 20, "it answers")
        with stub.connection() as idle:
            assert exchange(idle, "GET", "/orders").status == 200

            began = time.monotonic()
            stub.process.send_signal(signal.SIGTERM)
            stub.process.wait(5)
            assert time.monotonic() - began < 2


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with running(tmp_path) as stub:
        wait_for(
            lambda: "no files; mount a folder" in stub.ask("GET", "/").text,
            20,
            "it says what is missing",
        )
