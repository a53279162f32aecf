"""docker-register tells which ports of its host containers have or want, with the real engine."""

import socket
from pathlib import Path

from catalog.records.host_ports import decode
from tests.parts.engine import Engine, docker
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.register import PREFIX, Catalog, Register
from tests.parts.wait import wait_for

KEY = f"{PREFIX}/v1/hosts/h1/ports"


def told(catalog: Catalog, port: int) -> list[str]:
    """Return by which containers a port is held."""
    value = catalog.entries().get(KEY)
    return [each.by for each in decode(value) if each.port == port] if value else []


def wait_looked(register: Register) -> None:
    """Return when what happened before was seen: all containers are listed once a second."""
    before = register.lists()
    wait_for(lambda: register.lists() >= before + 3, 15, "three lists")


def test_a_created_container_has_its_port_until_it_is_removed(
    etcd: Etcd, catalog: Catalog, engine: Engine, tmp_path: Path
) -> None:
    port = free_port()
    name = engine.name("created")
    flags = ("--name", name, "--label", engine.label, "-p", f"127.0.0.1:{port}:8000")
    with Register(tmp_path, etcd, RESYNC="1") as register:
        docker("create", *flags, "tandem-whoami")
        wait_for(lambda: told(catalog, port) == [name], 10, "it is told of")

        docker("start", name)
        wait_looked(register)
        assert told(catalog, port) == [name]

        docker("stop", "-t", "1", name)
        wait_looked(register)
        assert told(catalog, port) == [name]

        docker("rm", name)
        wait_for(lambda: told(catalog, port) == [], 10, "the port is free")


def test_one_that_docker_could_not_start_says_why_and_keeps_its_port(
    etcd: Etcd, catalog: Catalog, engine: Engine, tmp_path: Path
) -> None:
    port = free_port()
    name = engine.name("refused")
    flags = ("--name", name, "--label", engine.label, "-p", f"127.0.0.1:{port}:8000")
    with Register(tmp_path, etcd) as register, socket.create_server(("127.0.0.1", port)):
        docker("run", "-d", *flags, "tandem-whoami", check=False)

        where = f"{name} start"
        wait_for(lambda: where in register.explain()["refused"], 10, "it is explained")
        refused = register.explain()["refused"][where]
        assert (refused["code"], "in use" in refused["text"]) == ("START_FAILED", True)
        assert told(catalog, port) == [name]


def test_a_registrar_that_starts_tells_of_what_is_there(
    etcd: Etcd, catalog: Catalog, engine: Engine, tmp_path: Path
) -> None:
    port = free_port()
    container = engine.run("tandem-whoami", "-p", f"127.0.0.1:{port}:8000")
    with Register(tmp_path, etcd):
        wait_for(lambda: told(catalog, port) == [container.name], 10, "it is told of")
