"""Where docker-discover and its HAProxy listen unless BIND says so."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.backend import backend
from tests.parts.discover import Discover, publish
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get, wait_answered
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.wait import wait_for


@pytest.fixture
def usual(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    """docker-discover without BIND."""
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    it = Discover(folder, etcd.endpoint)
    where = it.flags.index("--bind")
    del it.flags[where : where + 2]
    with it:
        yield it


def test_localhost_is_ipv6_too(usual: Discover, etcd: Etcd) -> None:
    port = free_port()
    with backend("here") as at:
        publish(etcd, local(1, at, port, mode="http"))

        wait_answered(port, "here")
        assert get(port, host="::1") == (200, "here")

    assert get(usual.stats, host="::1")[0] == 200
    assert get(usual.metrics, "/healthz", host="::1") == (200, "ok\n")


def test_a_program_that_has_the_port_on_ipv6_costs_that_address_alone(
    usual: Discover, etcd: Etcd
) -> None:
    port = free_port()
    with (
        backend("here") as at,
        socket.create_server(("::1", port), family=socket.AF_INET6),
    ):
        publish(etcd, local(1, at, port, mode="http"))
        wait_answered(port, "here")

        refused = f"whoami:{port} on ::1"
        wait_for(lambda: refused in usual.explain()["refused"], 10, "the address is refused")
        assert usual.explain()["refused"][refused]["code"] == "PORT_IN_USE"


def test_a_record_that_leads_back_to_haproxy_on_ipv6_is_hidden(usual: Discover, etcd: Etcd) -> None:
    port = free_port()
    with backend("here") as at:
        publish(etcd, local(1, at, port, mode="http"))
        wait_answered(port, "here")
        publish(etcd, local(2, port, port, mode="http", address="::1"))

        wait_for(lambda: "OWN_ADDRESS" in str(usual.explain()["refused"]), 10, "it is hidden")
        assert get(port, host="::1") == (200, "here")
