"""Real clients of real servers, each through docker-discover's HAProxy: what people run is not only
our own GETs.
"""

import contextlib
import http.client
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import yaml
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.parts.discover import Discover
from tests.parts.etcd import Etcd
from tests.parts.leftovers import scratch_folder
from tests.parts.ports import free_port
from tests.parts.servers import (
    ECHO,
    EVENTS,
    START_S,
    Web,
    grpc_server,
    postgres_server,
    redis_server,
    websocket_server,
)

GB = 1024**3
DOMAIN = "apps.test"
SERVICES: dict[str, dict[str, object]] = {
    "web": {"mode": "http", "hosts": ["shop.example"]},
    "websocket": {"mode": "http"},
    "grpc": {"mode": "http", "proto": "h2c"},
    "grpc-tcp": {"mode": "tcp"},
    "redis": {"mode": "tcp"},
    "postgres": {"mode": "tcp"},
}


@dataclass(frozen=True)
class Site:
    """One host with the pair's proxy: where each service is dialled."""

    discover: Discover
    ports: dict[str, int]
    door: int
    web: Web
    file: Path

    def way(self, way: str, service: str) -> tuple[str, int]:
        """Return the host that a caller names, and the port that it dials: the service's own, or
        the door.
        """
        if way == "door":
            return f"{service}.{DOMAIN}", self.door
        return f"127.0.0.1:{self.ports[service]}", self.ports[service]

    def reload(self) -> None:
        """Have HAProxy reloaded by a service more, and return when the new worker serves."""
        services = yaml.safe_load(self.file.read_text())
        port = free_port()
        services["services"][f"more-{port}"] = {
            "port": port,
            "servers": [f"127.0.0.1:{self.discover.metrics}"],
        }
        self.file.write_text(yaml.safe_dump(services))
        self.discover.wait_said(f"new listen more-{port}:{port}", START_S)

    def worker_kb(self) -> int:
        """Return the most memory that a worker of HAProxy had."""
        lines = [Path(f"/proc/{pid}/status").read_text() for pid in self.discover.haproxy.pids()]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in lines)


GRPC = [("port", "grpc"), ("port", "grpc-tcp"), ("door", "grpc")]
both_ways = pytest.mark.parametrize("way", ["port", "door"])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    web, door = Web(), free_port()
    with contextlib.ExitStack() as stack:
        # Not in pytest's folder, which HAProxy's user may not enter.
        folder = stack.enter_context(scratch_folder("clients"))
        grpc_port = stack.enter_context(grpc_server())
        backends = {
            "web": stack.enter_context(web.running()),
            "websocket": stack.enter_context(websocket_server()),
            "grpc": grpc_port,
            "grpc-tcp": grpc_port,
            "redis": stack.enter_context(redis_server()),
            "postgres": stack.enter_context(postgres_server()),
        }
        ports = {name: free_port() for name in SERVICES}
        services = {
            name: {**words, "port": ports[name], "servers": [f"127.0.0.1:{backends[name]}"]}
            for name, words in SERVICES.items()
        }
        (file := folder / "services.yaml").write_text(yaml.safe_dump({"services": services}))
        etcd = stack.enter_context(Etcd(folder))
        flags = ("--services", str(file), "--http-bind", f"127.0.0.1:{door}", "--domain", DOMAIN)
        discover = Discover(folder, etcd.endpoint, *flags)
        discover.start()
        stack.callback(discover.end)
        discover.wait_ready(40)
        yield Site(discover, ports, door, web, file)


def said(*command: str) -> str:
    """Return what a program prints; it has to succeed, without a word of complaint."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"{command}: {done.returncode} {done.stderr}"
    return done.stdout


def curl(way: tuple[str, int], path: str, *words: str) -> str:
    host, port = way
    dialled = ("--noproxy", "*", "--connect-to", f"::127.0.0.1:{port}", "--max-time", "60")
    return said("curl", "-sS", "--fail", *dialled, *words, f"http://{host}{path}")


def channel_to(way: tuple[str, int]) -> grpc.Channel:
    host, port = way
    return grpc.insecure_channel(
        f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0), ("grpc.default_authority", host)]
    )


@contextlib.contextmanager
def websocket_to(way: tuple[str, int]) -> Iterator[Connection]:
    host, port = way
    with (
        socket.create_connection(("127.0.0.1", port), START_S) as dialled,
        connect(f"ws://{host}/chat", sock=dialled, proxy=None) as connection,
    ):
        yield connection


@both_ways
@pytest.mark.parametrize(
    ("flag", "version"), [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")]
)
def test_curl(site: Site, way: str, flag: str, version: str) -> None:
    dialled = site.way(way, "web")

    assert (
        curl(dialled, "/a?b=c", flag, "-w", " %{http_version}")
        == f"GET /a?b=c {dialled[0]} {version}"
    )


def test_curl_by_a_declared_host_name(site: Site) -> None:
    assert curl(("shop.example", site.door), "/a") == "GET /a shop.example"


@both_ways
def test_a_websocket(site: Site, way: str) -> None:
    with websocket_to(site.way(way, "websocket")) as connection:
        for text in ("one", "two", "x" * 100_000):
            connection.send(text)
            assert connection.recv(timeout=START_S) == text.upper()


@pytest.mark.parametrize(("way", "service"), GRPC)
def test_grpc(site: Site, way: str, service: str) -> None:
    with channel_to(site.way(way, service)) as channel:
        assert channel.unary_unary(f"{ECHO}Unary")(b"hello", timeout=START_S) == b"hello"
        assert (
            b"".join(channel.unary_stream(f"{ECHO}Stream")(b"hello", timeout=START_S)) == b"hello"
        )
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(f"{ECHO}Nothing")(b"", timeout=START_S)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED, "trailers come through"


def test_redis_cli(site: Site) -> None:
    redis = ("redis-cli", "-p", str(site.ports["redis"]))

    assert said(*redis, "SET", "color", "blue") == "OK\n"
    assert said(*redis, "GET", "color") == "blue\n"
    assert said(*redis, "-r", "500", "INCR", "count").split()[-1] == "500"


def test_psql(site: Site) -> None:
    psql = (
        "psql",
        "-h",
        "127.0.0.1",
        "-p",
        str(site.ports["postgres"]),
        "-U",
        "postgres",
        "-At",
        "-v",
        "ON_ERROR_STOP=1",
    )

    said(*psql, "-q", "-c", "CREATE TABLE t AS SELECT n FROM generate_series(1, 100000) n")
    assert said(*psql, "-c", "SELECT sum(n) FROM t") == "5000050000\n"
    assert len(said(*psql, "-c", "COPY t TO STDOUT").split()) == 100_000


@both_ways
def test_server_sent_events_come_one_by_one(site: Site, way: str) -> None:
    host, port = site.way(way, "web")
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
    ) as connection:
        connection.request("GET", "/events", headers={"Host": host})
        answer = connection.getresponse()

        for number in range(EVENTS):
            assert (answer.readline(), answer.readline()) == (f"data: {number}\n".encode(), b"\n")
            site.web.next_event.set()  # only now is the next one sent
        assert answer.read() == b""


@pytest.mark.parametrize(
    ("way", "flag", "size"),  # HTTP/2 sends it in pieces of 16 kB, which takes longer
    [
        ("port", "--http1.1", GB),
        ("port", "--http2-prior-knowledge", GB // 4),
        ("door", "--http1.1", GB),
    ],
    ids=["port-1.1", "port-2", "door-1.1"],
)
def test_an_upload_of_a_gigabyte(
    site: Site, tmp_path: Path, way: str, flag: str, size: int
) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
    before_kb = site.worker_kb()

    assert curl(site.way(way, "web"), "/upload", flag, "-T", file.name) == f"{size} bytes"
    assert site.worker_kb() < before_kb + 32 * 1024, "it is passed on, not kept"


@both_ways
def test_a_websocket_stays_over_a_reload(site: Site, way: str) -> None:
    with websocket_to(site.way(way, "websocket")) as connection:
        connection.send("before")
        assert connection.recv(timeout=START_S) == "BEFORE"

        site.reload()

        connection.send("after")
        assert connection.recv(timeout=START_S) == "AFTER"


@pytest.mark.parametrize(("way", "service"), GRPC)
def test_a_grpc_channel_goes_on_over_a_reload(site: Site, way: str, service: str) -> None:
    with channel_to(site.way(way, service)) as channel:
        call = channel.unary_unary(f"{ECHO}Unary")
        assert call(b"before", timeout=START_S) == b"before"

        site.reload()

        for number in range(20):
            assert call(b"after %d" % number, timeout=START_S) == b"after %d" % number
