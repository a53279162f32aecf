"""The small port of a sidecar: who has it, and who has it next."""

import http.client
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.host_port import host_port
from sidecar.options import WrongSettings
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.status.server import status_server
from tests.parts.wait import wait_for


@contextmanager
def answering(address: tuple[str, int], explain: Callable[[], str], place: Path) -> Iterator[None]:
    actor = status_server(address, Health(stuck_after_s=60), Metrics(), explain, where_file=place)
    thread = threading.Thread(target=actor.run)
    thread.start()
    try:
        yield
    finally:
        actor.interrupt()
        thread.join(5)
        assert not thread.is_alive()


def asked(where: str) -> str:
    with urllib.request.urlopen(f"http://{where}/explain", timeout=5) as reply:
        text: str = reply.read().decode().strip()
        return text


@pytest.fixture(params=["127.0.0.1", "::1"])
def address(request: pytest.FixtureRequest) -> tuple[str, int]:
    with socket.socket(socket.AF_INET6 if ":" in request.param else socket.AF_INET) as probe:
        probe.bind((request.param, 0))
        return request.param, probe.getsockname()[1]


def test_a_second_one_answers_elsewhere_and_moves_when_the_first_leaves(
    tmp_path: Path, address: tuple[str, int]
) -> None:
    place = tmp_path / "metrics"
    home = host_port(*address)
    with answering(address, lambda: "first", tmp_path / "unused"):
        second = answering(address, lambda: "second", place)
        second.__enter__()
        away = place.read_text().strip()

        assert asked(home) == '"first"'
        assert asked(away) == '"second"'

    wait_for(lambda: asked(home) == '"second"', 3, "the second has moved")
    assert place.read_text() == f"{home}\n"
    second.__exit__(None, None, None)


def test_an_address_that_is_not_ours_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"METRICS: 192\.0\.2\.1:9302"):
        status_server(
            ("192.0.2.1", 9302),
            Health(stuck_after_s=60),
            Metrics(),
            str,
            where_file=tmp_path / "metrics",
        )


def test_a_client_that_does_not_wait_is_no_error_and_a_mistake_of_ours_is(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    asks, left = [], threading.Event()

    def explain() -> str:
        asks.append("asked")
        if len(asks) > 1:
            raise LookupError("ours")
        left.wait(5)
        return "x" * 10_000_000  # more than a connection takes before anybody reads

    with answering(address, explain, tmp_path / "place"):
        with socket.create_connection(address, 5) as client:
            client.sendall(b"GET /explain HTTP/1.0\r\n\r\n")
            wait_for(lambda: asks, 5, "it is asked")
        left.set()
        wait_for(lambda: not answerers(), 5, "it has given up")
        assert caplog.messages == []

        with socket.create_connection(address, 5) as client:
            client.sendall(b"GET /explain HTTP/1.0\r\n\r\n")
            assert client.recv(1) == b""
        wait_for(lambda: not answerers(), 5, "it has given up")

    assert ["cannot answer a request" in message for message in caplog.messages] == [True]


def answerers() -> list[str]:
    return [
        thread.name for thread in threading.enumerate() if "process_request_thread" in thread.name
    ]


def ask(address: tuple[str, int], path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_it_answers_whether_the_process_works_and_why(
    address: tuple[str, int], tmp_path: Path
) -> None:
    health, metrics = Health(stuck_after_s=60), Metrics()
    health.expect("etcd")
    metrics.counter("lists", "Lists of containers").inc()
    actor = status_server(
        address, health, metrics, lambda: {"refused": {}}, where_file=tmp_path / "place"
    )
    thread = threading.Thread(target=actor.run)
    thread.start()

    assert ask(address, "/readyz") == (503, "etcd: not yet\n")
    health.good("etcd")
    assert ask(address, "/readyz") == (200, "ok\n")
    assert ask(address, "/healthz?verbose") == (200, "ok\n")
    assert "tandem_lists_total 1.0" in ask(address, "/metrics")[1]
    assert ask(address, "/explain") == (200, '{\n  "refused": {}\n}\n')
    assert ask(address, "/nowhere") == (404, "paths: /metrics /healthz /readyz /explain\n")
    assert ask(address, "/metrics", "POST")[0] == 501

    actor.interrupt()
    thread.join(5)
    assert not thread.is_alive()


def test_what_answers_at_127_0_0_1_answers_at_ipv6_loopback_too(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with answering(("127.0.0.1", port), lambda: "here", tmp_path / "metrics"):
        wait_for(lambda: asked(f"[::1]:{port}") == '"here"', 3, "it answers at ::1")
        assert asked(f"127.0.0.1:{port}") == '"here"'


def test_a_program_that_holds_the_port_at_ipv6_loopback_is_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with answering(("127.0.0.1", port), lambda: "here", tmp_path / "metrics"):
            assert asked(f"127.0.0.1:{port}") == '"here"'
