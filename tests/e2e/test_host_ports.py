"""What HAProxy takes of its host, and what it leaves to others: real engine, real images."""

import json
import socket
from typing import Any

from catalog.keys import InstanceKey, key_of
from catalog.records.record import encode
from tests.parts.engine import DISCOVER_METRICS, REGISTER_METRICS, Engine, Pair, docker
from tests.parts.records import PREFIX, container_id, instance
from tests.parts.wait import wait_for

PORT, RACED = 8700, 8701


def refused(pair: Pair, at: int) -> dict[str, Any]:
    """Return what docker-discover or docker-register refuses, by what it is about."""
    found: dict[str, Any] = json.loads(pair.get(at, "/explain").text)["refused"]
    return found


def accepts(pair: Pair, port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(2)
        return caller.connect_ex((pair.address, port)) == 0


def publish_elsewhere(pair: Pair, service: str, port: int) -> None:
    """Put the record of an instance on another host."""
    record = instance(7, service, address="192.0.2.7", service_port=port)
    key = InstanceKey("elsewhere", service, container_id(7)[:12], record.container_port)
    pair.etcdctl("put", key_of(PREFIX, key), encode(record).decode())
    wait_for(lambda: accepts(pair, port), 10, "HAProxy listens")


def test_docker_gets_a_port_that_haproxy_has(pair: Pair, engine: Engine) -> None:
    publish_elsewhere(pair, "web", PORT)
    name = engine.name("web")
    flags = ("--name", name, "--label", engine.label, "-p", f"{pair.address}:{PORT}:8000")

    docker("create", *flags, "tandem-whoami")

    where = f"web:{PORT} on {pair.address}"
    wait_for(lambda: where in refused(pair, DISCOVER_METRICS), 10, "the port is yielded")
    said = refused(pair, DISCOVER_METRICS)[where]
    assert (said["code"], name in said["text"]) == ("PORT_YIELDED", True)
    assert not accepts(pair, PORT)

    docker("start", name)
    wait_for(lambda: pair.get(PORT).text.split()[0] == "whoami", 10, "the container has the port")
    docker("restart", "-t", "1", name)
    wait_for(lambda: pair.get(PORT).text.split()[0] == "whoami", 10, "it has it again")

    docker("rm", "-f", name)
    wait_for(lambda: where not in refused(pair, DISCOVER_METRICS), 10, "it is taken back")
    wait_for(lambda: accepts(pair, PORT), 10, "HAProxy listens again")


def test_docker_run_gets_the_port_at_its_second_start_at_the_latest(
    pair: Pair, engine: Engine
) -> None:
    """HAProxy has some 60 ms to leave it, which on a busy machine may not do."""
    publish_elsewhere(pair, "race", RACED)
    name = engine.name("race")
    flags = ("--name", name, "--label", engine.label, "-p", f"{pair.address}:{RACED}:8000")

    docker("run", "-d", *flags, "tandem-whoami", check=False)
    where = f"race:{RACED} on {pair.address}"
    wait_for(lambda: where in refused(pair, DISCOVER_METRICS), 10, "the port is yielded")
    docker("start", name)  # nothing if it runs

    wait_for(lambda: pair.get(RACED).text.split()[0] == "whoami", 10, "the container has the port")
    assert refused(pair, DISCOVER_METRICS)[where]["code"] == "PORT_YIELDED"
    started = f"{name} start"
    wait_for(lambda: started not in refused(pair, REGISTER_METRICS), 10, "nothing failed any more")
    docker("rm", "-f", name)


def test_a_container_of_port_22_or_80_takes_it_on_no_host(pair: Pair, engine: Engine) -> None:
    flags = ("-p", "22", "-e", "PORTS=22", "-e", "SERVICE_NAME=forge")
    engine.run("tandem-whoami", *flags, name="forge")

    def listeners() -> dict[str, Any]:
        told = json.loads(pair.get(DISCOVER_METRICS, "/explain").text)
        return {each["service"]: each for each in told["listeners"].values()}

    wait_for(lambda: "forge" in listeners(), 15, "it has a port")
    port = listeners()["forge"]["port"]
    assert port >= 10000
    wait_for(lambda: pair.get(port).text.split()[0] == "forge", 10, "it is called there")
    assert not accepts(pair, 22)
    codes = [each["code"] for each in refused(pair, REGISTER_METRICS).values()]
    assert "PORT_NOT_ASKED" in codes


def test_a_label_asks_for_it(pair: Pair, engine: Engine) -> None:
    flags = ("-p", "80", "-e", "PORTS=80", "-e", "SERVICE_NAME=site", "-e", "SERVICE_PORT=80")
    engine.run("tandem-whoami", *flags, name="site")

    wait_for(lambda: pair.get(80).text.split()[0] == "site", 15, "it is called at port 80")
    assert accepts(pair, 80)
