"""The program docker-stub with real HTTP: answers, wishes of callers, edits, many slow answers, its end."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.parts.ports import free_port
from tests.parts.wait import wait_for

OPENAPI = """
openapi: 3.0.3
paths:
  /pets/{pet-id}:
    get: {responses: {200: {content: {application/json: {example: {name: Rex}}}}, 404: {description: none}}}
  /orders: {get: {responses: {200: {description: not this, 402: x}, 402: {description: pay}}}}
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


class Stub:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stub", str(folder), "--port", str(self.port)],
            stderr=subprocess.PIPE,
            text=True,
        )

    def connection(self):
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10))

    def ask(self, method, path, **headers):
        with self.connection() as connection:
            return exchange(connection, method, path, **headers)

    def end(self):
        self.process.kill()
        self.process.communicate()


def exchange(connection, method, path, body=None, **headers):
    """Return status, X-Stub and body."""
    connection.request(
        method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    return response.status, response.headers["X-Stub"], response.read().decode()


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    one = Stub(folder)
    try:
        wait_for(lambda: one.ask("GET", "/orders")[0] == 200, 20, "it answers")
        yield one
    finally:
        one.end()


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
def test_it_answers_by_path_and_method(stub, method, path, headers, expected):
    assert stub.ask(method, path, **headers) == expected


def test_a_status_that_no_file_has_is_given_all_the_same(stub):
    status, source, _ = stub.ask("GET", "/orders", X_Stub_Status="429")

    assert (status, source) == (429, "docker-stub")


@pytest.mark.parametrize("asked", [{"X_Stub_Status": "oops"}, {"X_Stub_Delay": "soon"}])
def test_what_it_does_not_understand_is_said(stub, asked):
    status, _, text = stub.ask("GET", "/orders", **asked)

    assert status == 400
    assert "does not understand" in text


def test_an_unknown_path_lists_what_there_is_and_what_was_refused(stub):
    status, source, text = stub.ask("GET", "/order")
    says = json.loads(text)

    assert (status, source) == (404, "docker-stub")
    assert says["near"][0] == "GET /orders 200 402 503"
    assert "GET /pets/{pet-id} 200 404" in says["has"]
    assert [line for line in says["refused"] if line.startswith("bad.json: line 1, column 2")]


def test_another_method_is_405(stub):
    with stub.connection() as connection:
        connection.request("PUT", "/orders")
        response = connection.getresponse()
        assert (response.status, set(response.headers["Allow"].split(", "))) == (
            405,
            {"GET", "HEAD", "POST"},
        )


def test_a_hundred_slow_answers_take_as_long_as_one(stub):
    began = time.monotonic()
    with ThreadPoolExecutor(100) as pool:
        replies = list(
            pool.map(lambda _: stub.ask("GET", "/orders", X_Stub_Delay="1s"), range(100))
        )

    assert {status for status, _, _ in replies} == {200}
    assert 1 <= time.monotonic() - began < 10
    assert stub.ask("GET", "/slow")[2] == "late"


def test_answers_on_a_kept_connection_wait_for_no_acknowledgement(stub):
    with stub.connection() as connection:
        times = []
        for _ in range(20):
            began = time.monotonic()
            exchange(connection, "GET", "/orders")
            times.append(time.monotonic() - began)

    assert sorted(times)[5] < 0.03


def test_an_edit_applies_to_the_next_request_of_a_kept_connection(stub):
    """And a file that is half written does not take the rest away."""
    new = stub.folder / "new.json"
    with stub.connection() as connection:
        assert exchange(connection, "GET", "/new")[0] == 404
        socket = connection.sock

        new.write_text('{"a":')
        wait_for(
            lambda: "new.json" in exchange(connection, "GET", "/new")[2],
            5,
            "it says that it is bad",
        )
        new.write_text('{"a": 1}')
        wait_for(
            lambda: exchange(connection, "GET", "/new") == (200, "new.json", '{"a": 1}'),
            5,
            "it is served",
        )
        new.unlink()
        wait_for(lambda: exchange(connection, "GET", "/new")[0] == 404, 5, "it is gone")

        assert exchange(connection, "GET", "/orders")[0] == 200
        assert connection.sock is socket


def test_a_single_file_can_be_mounted_and_sigterm_ends_it_at_once(tmp_path):
    path = tmp_path / "pets.yaml"
    path.write_text(OPENAPI)
    one = Stub(path)
    try:
        wait_for(lambda: one.ask("GET", "/pets/1")[:2] == (200, "pets.yaml"), 20, "it answers")
        with one.connection() as idle:
            assert exchange(idle, "GET", "/orders")[0] == 200
            began = time.monotonic()
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(5)
            assert time.monotonic() - began < 2
    finally:
        one.end()


def test_an_empty_folder_is_said(tmp_path):
    one = Stub(tmp_path)
    try:
        wait_for(
            lambda: "no files; mount a folder" in one.ask("GET", "/")[2],
            20,
            "it says what is missing",
        )
    finally:
        one.end()
