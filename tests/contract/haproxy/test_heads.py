"""What clients send before a request, and how long its head may be, on real HAProxies."""

import contextlib
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from discover.apply.applier import Applier
from discover.settings import TEMPLATE, settings_of
from discover.text.render import Layout
from discover.this_host import policy_of
from sidecar.status.metrics import Metrics
from tests.parts.configs import config_of
from tests.parts.haproxy import KINDS, running
from tests.parts.ports import free_port
from tests.parts.records import local, snapshot

WAITS = "timeout http-request 10s"  # as shipped; a test has no ten seconds
HOST = b"Host: web.apps.test\r\n"
WAYS = ("listener", "door", "stats")
SERVED = ("listener", "door")
KB = 1024


@dataclass(frozen=True)
class Site:
    """A service in http mode, and where each way to HAProxy begins."""

    ports: dict[str, int]


@contextlib.contextmanager
def web() -> Iterator[int]:
    """Run a server that answers with a head as long as the path says, or with so many headers.

    It tells how long the request's head was. Python's own servers take 100 headers at most.
    """

    class Handler(socketserver.StreamRequestHandler):
        timeout = 5

        def handle(self) -> None:
            lines = list(iter(self.rfile.readline, b"\r\n"))
            if not lines or b"" in lines:
                return  # a health check
            _, path, *_ = lines[0].split(b" ")
            word, _, number = path[1:].partition(b"=")
            count = int(number) if word in (b"long", b"many") else 0
            long = b"x-long: " + b"r" * count + b"\r\n" if word == b"long" else b""
            many = [b"set-cookie: c%d=%d\r\n" % (i, i) for i in range(count) if word == b"many"]
            got = sum(map(len, lines))
            head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-got: %d\r\n" % got
            self.wfile.write(head + long + b"".join(many) + b"\r\nok")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A health check that hangs up at once is no error."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@contextlib.contextmanager
def served(kind: str, factory: pytest.TempPathFactory, *flags: str) -> Iterator[Site]:
    """Have HAProxy run with what docker-discover's flags make of it."""
    folder = factory.mktemp("heads")
    for parent in (folder, folder.parent):
        parent.chmod(0o755)
    ports = {way: free_port() for way in WAYS}
    shipped = TEMPLATE.read_text()
    assert WAITS in shipped

    with web() as backend, running(folder, kind) as haproxy:
        places = ("--run-dir", str(folder), "--stats", f"127.0.0.1:{ports['stats']}")
        door = ("--http-bind", f"127.0.0.1:{ports['door']}", "--domain", "apps.test")
        settings = settings_of([*places, *door, "--bind", "127.0.0.1", *flags], {})
        record = local(1, backend, ports["listener"], "web", mode="http")
        config = config_of(snapshot(record), policy_of(settings))
        layout = Layout(shipped.replace(WAITS, "timeout http-request 1s"), "haproxy.cfg.j2")
        applier = Applier(haproxy.adapter, haproxy.config, stop=haproxy.stop, metrics=Metrics())
        applier.reload(None, layout.render(config))
        assert not subprocess.run(
            [haproxy.binary, "-c", "-q", "-f", haproxy.config], capture_output=True, check=True
        ).stderr
        yield Site(ports)


@pytest.fixture(scope="module")
def site(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(kind, tmp_path_factory) as shipped:
        yield shipped


@pytest.fixture(scope="module")
def wide(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(kind, tmp_path_factory, "--head-kb", "64") as wider:
        yield wider


def said_to(port: int, *parts: bytes) -> bytes:
    """Return all that is said on a connection until the other side closes it."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def status_of(site: Site, way: str, path: str = "/", headers: bytes = b"") -> int:
    """Return the status that a GET is answered with."""
    request = b"GET %s HTTP/1.1\r\n%sConnection: close\r\n%s\r\n" % (path.encode(), HOST, headers)
    return int(said_to(site.ports[way], request).split(b" ")[1])


def of_length(size: int) -> bytes:
    """Return a header with which a request's head has this length."""
    rest = len(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n") + len(HOST)
    return b"x-long: " + b"a" * (size - rest - len(b"x-long: \r\n")) + b"\r\n"


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_without_a_request_is_closed_without_a_word(site: Site, way: str) -> None:
    assert said_to(site.ports[way]) == b""


@pytest.mark.parametrize("way", WAYS)
def test_half_a_request_is_told_that_it_took_too_long(site: Site, way: str) -> None:
    assert said_to(site.ports[way], b"GET / HT").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("way", SERVED)
def test_a_kept_connection_is_closed_without_a_word(site: Site, way: str) -> None:
    answer = said_to(site.ports[way], b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("way", SERVED)
def test_heads_of_fourteen_kilobytes_pass_and_longer_ones_are_refused(site: Site, way: str) -> None:
    assert status_of(site, way, headers=of_length(14 * KB)) == 200
    assert status_of(site, way, headers=of_length(17 * KB)) == 400
    assert status_of(site, way, "/" + "u" * 13 * KB) == 200
    assert status_of(site, way, f"/long={14 * KB - 200}") == 200
    assert status_of(site, way, f"/long={17 * KB}") == 502


@pytest.mark.parametrize("way", SERVED)
def test_hundreds_of_headers_pass(site: Site, way: str) -> None:
    many = [b"x-%d: 1\r\n" % number for number in range(900)]

    assert status_of(site, way, headers=b"".join(many)) == 200
    assert status_of(site, way, "/many=400") == 200


@pytest.mark.parametrize("way", SERVED)
def test_longer_heads_pass_where_they_are_asked_for(wide: Site, way: str) -> None:
    many = [b"x-%d: %s\r\n" % (number, b"v" * 60) for number in range(900)]

    assert status_of(wide, way, headers=of_length(64 * KB)) == 200
    assert status_of(wide, way, "/" + "u" * 32 * KB) == 200
    assert status_of(wide, way, headers=b"".join(many)) == 200
    assert status_of(wide, way, f"/long={64 * KB - 200}") == 200
    assert status_of(wide, way, headers=of_length(70 * KB)) == 400
    assert status_of(wide, way, f"/long={70 * KB}") == 502
