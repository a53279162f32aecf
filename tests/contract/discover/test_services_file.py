"""SERVICES: servers that no container is, served beside those of etcd by a real HAProxy, as the
file says now.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import instance
from tests.parts.wait import wait_for


@dataclass(frozen=True)
class Site:
    """All that these tests share; each writes the file anew."""

    etcd: Etcd
    discover: Discover
    file: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("outside")
    (file := folder / "services.yaml").write_text("services: {}\n")
    flags = ("--services", str(file))
    with (
        Etcd(folder) as etcd,
        discovering(folder / "discover", etcd.endpoint, *flags) as discover,
    ):
        yield Site(etcd, discover, file)


def answers(port: int) -> set[str]:
    return {get(port)[1] for _ in range(8)}


def refused(discover: Discover) -> dict[str, str]:
    told = json.loads(get(discover.metrics, "/explain")[1])["refused"]
    return {where: f"{problem['code']} {problem['text']}" for where, problem in told.items()}


def test_a_file_is_served_and_its_edits_apply(site: Site) -> None:
    discover, file = site.discover, site.file
    port, other = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        file.write_text(f"services:\n  db: {{port: {port}, servers: ['127.0.0.1:{one}']}}\n")
        wait_for(lambda: answers(port) == {"one"}, 10, "the service is there")
        discover.wait_said(f"db:{port}")
        reloads = discover.reloads()

        file.write_text(
            f"services:\n  db: {{port: {port}, servers: ['127.0.0.1:{one}', '127.0.0.1:{two}']}}\n"
        )
        wait_for(lambda: answers(port) == {"one", "two"}, 10, "a server more")
        file.write_text(f"services:\n  db: {{port: {port}, servers: ['127.0.0.1:{two}']}}\n")
        wait_for(lambda: answers(port) == {"two"}, 10, "a server less")
        assert discover.reloads() == reloads, "servers come and go without a reload"

        file.write_text(
            f"services:\n"
            f"  db: {{port: {port}, servers: ['127.0.0.1:{one}', 'db.example.org:80']}}\n"
            f"  web: {{port: {other}, mode: http, servers: ['127.0.0.1:{one}']}}\n"
        )
        wait_for(lambda: answers(other) == {"one"}, 10, "what is right of the file")
        wait_for(lambda: refused(discover), 5, "the rest is refused")
        [(where, text)] = refused(discover).items()
        assert where == "file:db server 2"
        assert text.startswith(
            "OUTSIDE_REFUSED services.yaml: db server 2: address: 'db.example.org' is a host name"
        )
        assert answers(port) == {"two"}, "a service with a slip of the pen stays as it was"
        assert discover.ready()

        file.write_text("services: [")
        wait_for(lambda: list(refused(discover)) == ["file"], 10, "it is no YAML")
        assert not discover.ready()
        assert (answers(port), answers(other)) == ({"two"}, {"one"})

        file.write_text("services: {}")
        wait_for(lambda: not refused(discover) and discover.ready(), 10, "it is good again")
        with pytest.raises(OSError, match=r".*"):
            get(port)
        assert get(other)[0] == 503


def test_containers_and_outside_servers_are_one_service(site: Site) -> None:
    etcd, discover, file = site.etcd, site.discover, site.file
    port = free_port()
    with backend("legacy") as legacy, backend("container") as container, backend("other") as other:
        file.write_text(
            f"services:\n  db: {{port: {port}, role: stub, servers: ['127.0.0.1:{legacy}']}}\n"
        )
        wait_for(lambda: answers(port) == {"legacy"}, 10, "the outside stub serves")

        real = instance(1, "db", address="127.0.0.1", port=container, service_port=port)
        late = instance(2, "late", address="127.0.0.1", port=other, service_port=port)
        publish(etcd, real, late)
        wait_for(lambda: answers(port) == {"container"}, 10, "a container takes over")
        wait_for(lambda: refused(discover), 10, "the file named the port first")
        [text] = refused(discover).values()
        assert text.startswith("PORT_CLAIMED late has no listener")

        withdraw(etcd, real, late)
        wait_for(lambda: answers(port) == {"legacy"}, 10, "the stub is back")


def test_one_legacy_server_can_be_two_services(site: Site) -> None:
    ports = free_port(), free_port()
    with backend("legacy") as legacy:
        site.file.write_text(
            f"services:\n"
            f"  orders: {{port: {ports[0]}, servers: ['127.0.0.1:{legacy}']}}\n"
            f"  bills: {{port: {ports[1]}, servers: ['127.0.0.1:{legacy}']}}\n"
        )

        wait_for(
            lambda: [answers(port) for port in ports] == [{"legacy"}, {"legacy"}],
            10,
            "both are served",
        )
        assert not refused(site.discover)


def test_a_file_that_was_spoilt_meanwhile_stays_as_it_was_and_needs_no_etcd(tmp_path: Path) -> None:
    (file := tmp_path / "services.yaml").write_text("services: {}\n")
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    port = free_port()
    discover = Discover(folder, f"127.0.0.1:{free_port()}", "--services", str(file))
    with backend("one") as one, backend("two") as two, ExitStack() as stack:
        stack.callback(discover.end)
        file.write_text(f"services:\n  db: {{port: {port}, servers: ['127.0.0.1:{one}']}}\n")
        discover.start()
        wait_for(lambda: answers(port) == {"one"}, 15, "it is served before etcd has said anything")
        file.write_text(f"services:\n  db: {{port: {port}, servers: ['127.0.0.1:{two}']}}\n")
        wait_for(lambda: answers(port) == {"two"}, 15, "and edited")

        discover.kill()
        discover.haproxy.end()
        (discover.folder / "haproxy.cfg").unlink()
        file.unlink()
        discover.start()

        wait_for(lambda: answers(port) == {"two"}, 15, "what the file said last")
        discover.wait_said(
            "no such file; set SERVICES to another one, or leave it empty; "
            "its last good content stays in use"
        )


def test_a_port_can_be_claimed_for_an_outside_service(site: Site) -> None:
    with backend("legacy") as legacy:
        site.file.write_text(f"services:\n  old: {{port: auto, servers: ['127.0.0.1:{legacy}']}}\n")

        key = "/services/v1/ports/old"
        claim = wait_for(
            lambda: site.etcd.ctl("get", "--print-value-only", key).strip(), 20, "a port is claimed"
        )
        wait_for(lambda: answers(json.loads(claim)["port"]) == {"legacy"}, 10, "and served")
