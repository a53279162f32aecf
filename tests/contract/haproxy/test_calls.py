"""Calls as real HAProxies log them: one line of JSON each, whatever a client sends."""

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from catalog.records.record import Check, Instance, Log
from discover.calls.call_line import call_of, is_call
from discover.calls.endings import NO_INSTANCE
from discover.calls.ring import FROM_NOW, lines_of
from discover.model.proxy_config import Bind
from tests.parts.backend import backend
from tests.parts.haproxy import KINDS, RealHAProxy, get, running
from tests.parts.haproxy_site import Site
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.wait import assert_holds, wait_for

HOSTILE = (
    b'/"quoted"\\back{slash}[0]%0a',
    b"/" + b"long" * 400,
    b"/a?token=secret",
)


@dataclass
class Tapped:
    """A HAProxy, and the calls in its ring since the last look."""

    site: Site
    lines: list[bytes] = field(default_factory=list)

    def call(self) -> dict[str, Any]:
        """Return the next call, as it was logged."""
        wait_for(lambda: any(map(is_call, self.lines)), 5, "a call in the ring")
        while not is_call(self.lines[0]):
            self.lines.pop(0)
        return call_of(self.lines.pop(0))

    def run(self, *records: Instance, log: Log = "all") -> None:
        """Reload, and read the ring of the new worker."""
        process = replace(self.site.policy.process, access_log=log)
        self.site.policy = replace(self.site.policy, process=process)
        self.site.reload(*records)
        self._began = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._began.wait(5)

    def _read(self) -> None:
        while not self._over.is_set():
            for line in lines_of(self.site.haproxy.admin):
                if line:
                    self.lines.append(line)
                self._began.set()
                if self._over.is_set():
                    return

    def end(self) -> None:
        self._over.set()
        self._thread.join(5)


@pytest.fixture(params=KINDS)
def haproxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealHAProxy]:
    tmp_path.chmod(0o755)
    with running(tmp_path, request.param) as it:
        yield it


@pytest.fixture
def tapped(haproxy: RealHAProxy) -> Iterator[Tapped]:
    it = Tapped(Site(haproxy))
    yield it
    it.end()


@contextlib.contextmanager
def server(answer: bytes, *, stays: bool) -> Iterator[int]:
    """Run a server that sends these bytes after a request, then closes or says no more."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                if self.request.recv(4096):
                    self.request.sendall(answer)
                    if stays:
                        over.wait(10)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield it.server_address[1]
        finally:
            over.set()
            it.shutdown()
            thread.join()


def web(number: int, port: int, at: int, **changes: Any) -> Instance:
    return local(number, port, at, mode="http", **changes)


def send(port: int, request: bytes) -> bytes:
    """Send bytes, and return what comes back until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_call_that_went_well(tapped: Tapped) -> None:
    at = free_port()
    with backend("w") as port:
        tapped.run(web(1, port, at))
        assert get(at, "/a?b=c")[0] == 200
        call = tapped.call()

    assert call["service"] == f"whoami:{at}"
    assert (call["method"], call["path"], call["status"]) == ("GET", "/a", 200)
    assert (call["end"], call["code"]) == ("complete", "--")
    assert call["address"] == f"127.0.0.1:{port}"
    assert call["client"] == "127.0.0.1"
    assert call["bytes_out"] > call["bytes_in"] > 0
    assert 0 <= call["response_ms"] <= call["total_ms"]
    assert len(call["id"]) == 36


def test_without_an_instance(tapped: Tapped) -> None:
    at = free_port()
    tapped.run(web(1, free_port(), at, weight=0))
    assert get(at)[0] == 503
    call = tapped.call()

    assert (call["status"], call["end"], call["code"]) == (503, NO_INSTANCE, "SC")
    assert "address" not in call


def test_a_refused_connection(tapped: Tapped) -> None:
    at = free_port()
    with backend("w") as port:
        refusing = web(2, free_port(), at, check=Check("none"))
        tapped.run(web(1, port, at, check=Check("none")), refusing)
        for _ in range(2):
            assert get(at)[0] == 200
        calls = [tapped.call(), tapped.call()]
        [mended] = [call for call in calls if call["retries"] != "0"]
        assert (mended["status"], mended["code"]) == (200, "--")
        assert mended["address"] == f"127.0.0.1:{port}"

    tapped.end()
    tapped.run(refusing)
    assert get(at)[0] == 503
    call = tapped.call()
    assert (call["end"], call["code"]) == ("the instance refused the connection", "SC")
    assert call["retries"] == "3"


@pytest.mark.parametrize(
    ("answer", "stays", "status", "code"),
    [
        (b"", True, 504, "sH"),
        (b"", False, 502, "SH"),
        (b"nonsense\r\n\r\n", False, 502, "PH"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", False, 200, "SD"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", True, 200, "sD"),
    ],
)
def test_an_instance_that_fails(
    tapped: Tapped, answer: bytes, stays: bool, status: int, code: str
) -> None:
    at = free_port()
    with server(answer, stays=stays) as port:
        tapped.run(web(1, port, at, timeout_ms=300, retry="connect"))
        send(at, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        call = tapped.call()

    assert call["status"] == status
    # HAProxy 3.0 says of an answer that stops in its midst that the client left.
    assert call["code"] == code or (code, call["code"]) == ("sD", "CD")
    assert call["end"].startswith(("the instance", "the client left before the answer"))


def test_a_client_that_leaves(tapped: Tapped) -> None:
    at = free_port()
    with server(b"", stays=True) as port:
        tapped.run(web(1, port, at, timeout_ms=5000))
        with socket.create_connection(("127.0.0.1", at)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\na")
        call = tapped.call()

    assert call["end"].startswith("the client left")
    assert call["code"][0] == "C"


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_request_is_one_line(tapped: Tapped, path: bytes) -> None:
    at = free_port()
    with backend("w") as port:
        tapped.run(web(1, port, at))
        head = b'x-request-id: "}\\\x80\xff\t{' + b"z" * 2000
        send(
            at,
            b"GET " + path + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + head + b"\r\n\r\n",
        )
        wait_for(lambda: any(map(is_call, tapped.lines)), 5, "a call")
        [line] = [line for line in tapped.lines if is_call(line)]

    assert len(line) < 4096
    found = json.loads(line)
    assert found["status"] == 200
    assert found["path"] == path.split(b"?")[0].decode()[:256]
    assert found["id"].startswith('"}\\')
    assert "secret" not in line.decode()


def test_what_is_no_request_is_one_line(tapped: Tapped) -> None:
    at = free_port()
    with backend("w") as port:
        tapped.run(web(1, port, at))
        send(at, b'{"a": "\\"\r\n\r\n')
        call = tapped.call()

    assert call["status"] == 400
    assert call["code"] == "PR"


def test_a_tcp_connection(tapped: Tapped) -> None:
    at = free_port()
    with backend("w") as port:
        tapped.run(local(1, port, at))
        get(at)
        call = tapped.call()

    assert call["service"] == f"whoami:{at}"
    assert call["code"] == "--"
    assert call["address"] == f"127.0.0.1:{port}"
    assert call["bytes_out"] > 0
    assert "method" not in call


@pytest.mark.parametrize("mode", ["tcp", "http"])
def test_a_service_says_otherwise_than_the_host(tapped: Tapped, mode: Any) -> None:
    ports = {name: free_port() for name in ("all", "errors", "off")}
    with contextlib.ExitStack() as stack:
        records = [
            local(
                number,
                stack.enter_context(backend(name)),
                at,
                f"s-{name}",
                mode=mode,
                log=None if name == "errors" else name,
            )
            for number, (name, at) in enumerate(ports.items(), 1)
        ]
        tapped.run(*records, log="errors")
        for name in ("off", "errors", "all"):
            assert get(ports[name])[0] == 200

        assert tapped.call()["service"] == f"s-all:{ports['all']}"
        assert not [line for line in tapped.lines if is_call(line)]


def test_only_errors_reach_the_output(tapped: Tapped) -> None:
    at, output = free_port(), tapped.site.haproxy.folder / "syslog"
    with (
        backend("w") as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog,
    ):
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(5)
        process = replace(tapped.site.policy.process, access_log_to=address_of(syslog), tapped=True)
        tapped.site.policy = replace(tapped.site.policy, process=process)
        tapped.run(web(1, port, at), log="errors")
        get(at)
        get(at, "/fail")
        got = syslog.recv(65536)

    assert tapped.call()["status"] == 200
    assert tapped.call()["status"] == 500
    header, brace, rest = got.partition(b"{")
    assert json.loads(brace + rest)["status"] == 500
    assert header.startswith(b"<131>1 ")
    assert not output.exists()


def address_of(one: socket.socket) -> Any:
    return Bind(*one.getsockname())


def test_a_reader_that_stops_holds_nothing_up(tapped: Tapped) -> None:
    at = free_port()
    with backend("w") as port, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stuck:
        tapped.run(web(1, port, at))
        stuck.connect(str(tapped.site.haproxy.admin))
        stuck.sendall(FROM_NOW)
        assert get(at, "/first")[0] == 200
        assert b"first" in stuck.recv(4096)

        # It reads no more; some hundred calls fill its socket and the ring.
        def call_often(_: int) -> None:
            head = b"GET /" + b"x" * 250 + b" HTTP/1.1\r\nhost: a\r\n\r\n"
            with socket.create_connection(("127.0.0.1", at), timeout=5) as client:
                for _ in range(100):
                    client.sendall(head)
                    assert client.recv(65536)

        with ThreadPoolExecutor(15) as pool:
            list(pool.map(call_often, range(15)))
        assert_holds(lambda: get(at)[0] == 200, 0.3, "calls are answered")
