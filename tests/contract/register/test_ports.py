"""Which ports and addresses of real containers are announced to other hosts."""

from pathlib import Path

from discover.haproxy.ports import bridge_gateway
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.register import Catalog, Register
from tests.parts.served import serve
from tests.parts.wait import wait_for

HOST_IP = "192.0.2.77"  # of no machine: what is announced is what counts


def test_a_bridges_address_is_none_for_other_hosts(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    gateway = bridge_gateway()
    assert gateway, "the engine has its default bridge"
    with Register(tmp_path, etcd, HOST_IP=HOST_IP) as register:
        one = serve(engine, service, "-p", f"{gateway}::8000")
        refused = wait_for(
            lambda: register.explain()["refused"].get(f"{one.name}:8000"), 10, "a reason"
        )
        one.do("rm", "-f")

        serve(engine, service, "-p", f"{gateway}::8000", "-p", "8000")
        found = wait_for(lambda: catalog.instance(service), 10, "published")

    assert refused["code"] == "BRIDGE_ONLY"
    assert f"or -p {HOST_IP}:" in refused["text"]
    assert found is not None
    assert found.address == HOST_IP


def test_one_host_alone_may_be_called_at_its_bridge(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    gateway = bridge_gateway()
    assert gateway, "the engine has its default bridge"
    with Register(tmp_path, etcd, HOST_IP="127.0.0.1"):
        serve(engine, service, "-p", f"{gateway}::8000")

        found = wait_for(lambda: catalog.instance(service), 10, "published")

    assert found is not None
    assert found.address == gateway


def test_of_a_passive_range_no_port_is_a_service(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    health = ("--health-cmd", "true", "--health-interval", "1s")
    with Register(tmp_path, etcd, HOST_IP=HOST_IP) as register:
        one = serve(engine, service, "-p", "8000", "-p", "7000-7019", *health)
        wait_for(lambda: catalog.instance(service), 20, "the main port is published")
        refused = register.explain()["refused"]

    of_range = [where for where in refused if where.startswith(f"{one.name}:7")]
    assert of_range == [f"{one.name}:7000-7019"]
    assert refused[of_range[0]]["code"] == "IN_RANGE"
