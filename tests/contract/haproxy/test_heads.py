"""What clients send before a request, and how long its head may be, on real HAProxies."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from discover.apply.applier import Applier
from discover.model.proxy_config import Bind, Door, HostPolicy, Process
from discover.settings import TEMPLATE
from discover.text.render import Layout
from sidecar.status.metrics import Metrics
from tests.parts.backend import backend
from tests.parts.configs import config_of
from tests.parts.haproxy import KINDS, running
from tests.parts.ports import free_port
from tests.parts.records import local, snapshot

WAITS = "timeout http-request 10s"  # as shipped; a test has no ten seconds
GET = b"GET / HTTP/1.1\r\nHost: web.apps.test\r\n\r\n"
WAYS = ("listener", "door", "stats")


@dataclass(frozen=True)
class Site:
    """A service in http mode, and where each way to HAProxy begins."""

    ports: dict[str, int]


@pytest.fixture(scope="module", params=KINDS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("heads")
    for parent in (folder, folder.parent):
        parent.chmod(0o755)
    ports = {way: free_port() for way in WAYS}
    shipped = TEMPLATE.read_text()
    assert WAITS in shipped

    with contextlib.ExitStack() as stack:
        web = stack.enter_context(backend("web"))
        haproxy = stack.enter_context(running(folder, request.param))
        door = Door((Bind("127.0.0.1", ports["door"]),), "apps.test", str(folder / "pages.sock"))
        stats = Bind("127.0.0.1", ports["stats"])
        process = Process(stats, str(haproxy.admin), 500, None, None, door)
        record = local(1, web, ports["listener"], "web", mode="http")
        config = config_of(snapshot(record), HostPolicy(process, ("127.0.0.1",), {}))
        layout = Layout(shipped.replace(WAITS, "timeout http-request 1s"), "haproxy.cfg.j2")
        applier = Applier(haproxy.adapter, haproxy.config, stop=haproxy.stop, metrics=Metrics())
        applier.reload(None, layout.render(config))
        yield Site(ports)


def said_to(port: int, *parts: bytes) -> bytes:
    """Return all that is said on a connection until the other side closes it."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_without_a_request_is_closed_without_a_word(site: Site, way: str) -> None:
    assert said_to(site.ports[way]) == b""


@pytest.mark.parametrize("way", WAYS)
def test_half_a_request_is_told_that_it_took_too_long(site: Site, way: str) -> None:
    assert said_to(site.ports[way], b"GET / HT").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("way", ["listener", "door"])
def test_a_kept_connection_is_closed_without_a_word(site: Site, way: str) -> None:
    answer = said_to(site.ports[way], GET)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nweb")
