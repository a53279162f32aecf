"""HAProxy keeps off the ports that containers of its own host have or want."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.records.host_ports import HostPort, encode
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get, wait_answered
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for

KEY = f"{PREFIX}/v1/hosts/here/ports"
OWNER = f"{PREFIX}/v1/hosts/here/owner"


@pytest.fixture
def here(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    """docker-discover of the host whose docker-register is `here`."""
    flags = ("--host-id", "here", "--bind", "127.0.0.1,127.0.0.5")
    with discovering(tmp_path / "discover", etcd.endpoint, *flags) as it:
        yield it


def tell(etcd: Etcd, *ports: HostPort) -> None:
    etcd.ctl("put", OWNER, "{}")
    etcd.ctl("put", KEY, encode(ports).decode())


def can_bind(port: int, host: str = "0.0.0.0") -> bool:
    """Whether a program that binds as Docker does gets the port."""
    with socket.socket() as it:
        it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            it.bind((host, port))
            it.listen()
        except OSError:
            return False
    return True


def refusals(discover: Discover) -> list[str]:
    return [problem["code"] for problem in discover.explain()["refused"].values()]


def test_a_port_that_a_container_wants_is_free_for_it_and_taken_back(
    here: Discover, etcd: Etcd
) -> None:
    port, other = free_port(), free_port()
    with backend("here") as at, backend("other") as at_other:
        publish(etcd, local(1, at, port, mode="http"))
        publish(etcd, local(2, at_other, other, "other", mode="http"))
        wait_answered(port, "here")
        wait_answered(other, "other")
        assert not can_bind(port)

        tell(etcd, HostPort(port, "", "web"))

        wait_for(lambda: can_bind(port), 10, "the port is free")
        wait_for(lambda: refusals(here) == ["PORT_YIELDED"] * 2, 10, "it is said")
        wait_for(lambda: not here.runs_with(f"bind 127.0.0.1:{port}"), 10, "the file says so")
        assert get(other) == (200, "other")

        etcd.ctl("del", KEY)

        wait_answered(port, "here")
        wait_for(lambda: refusals(here) == [], 10, "and no longer said")


def test_only_the_address_that_is_wanted_is_left(here: Discover, etcd: Etcd) -> None:
    port = free_port()
    with backend("here") as at:
        publish(etcd, local(1, at, port, mode="http"))
        wait_answered(port, "here")

        tell(etcd, HostPort(port, "127.0.0.5", "web"))

        wait_for(lambda: refusals(here) == ["PORT_YIELDED"], 10, "it is said")
        wait_for(lambda: can_bind(port, "127.0.0.5"), 10, "that address is free")
        wait_answered(port, "here")


def test_what_another_host_has_is_nothing_to_this_one(here: Discover, etcd: Etcd) -> None:
    port = free_port()
    etcd.ctl("put", KEY.replace("here", "there"), encode([HostPort(port, "", "web")]).decode())
    with backend("here") as at:
        publish(etcd, local(1, at, port, mode="http"))

        wait_answered(port, "here")
        assert refusals(here) == []


def test_the_next_life_remembers_before_docker_register_speaks(here: Discover, etcd: Etcd) -> None:
    port = free_port()
    with backend("here") as at:
        tell(etcd, HostPort(port, "", "web"))
        publish(etcd, local(1, at, port, mode="http"))
        wait_for(lambda: refusals(here) == ["PORT_YIELDED"] * 2, 10, "it is said")

        here.kill()
        here.haproxy.kill()
        etcd.ctl("del", KEY)
        etcd.ctl("del", OWNER)
        here.start()
        here.wait_ready()

        assert refusals(here) == ["PORT_YIELDED"] * 2
        assert can_bind(port)

        tell(etcd)

        wait_answered(port, "here")


def test_a_port_that_a_program_held_is_left_to_it_for_a_while(here: Discover, etcd: Etcd) -> None:
    port = free_port()
    with backend("here") as at:
        with socket.create_server(("127.0.0.1", port)):
            publish(etcd, local(1, at, port, mode="http"))
            wait_for(lambda: "PORT_IN_USE" in refusals(here), 10, "it is in use")
            here.kill()
            here.haproxy.kill()

        here.start()
        here.wait_ready()

        assert "PORT_IN_USE" in refusals(here)
        assert can_bind(port, "127.0.0.1")
