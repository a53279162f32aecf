"""Labels as the field writes them: what callers see, and what stands in etcd. Real images."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.parts.engine import REGISTER_METRICS, Container, Engine, Pair
from tests.parts.ports import free_port
from tests.parts.wait import wait_for


class DoorPair(Pair):
    """A pair with one HTTP port, `door`."""

    def __init__(self, engine: Engine) -> None:
        self.door = free_port()
        # Everything that publishes a port would be taken: only what asks is, as in other tests.
        super().__init__(engine, discover={"HTTP_BIND": str(self.door), "DOMAIN": "apps.test"})


@pytest.fixture(scope="module")
def pair(engine: Engine) -> Iterator[DoorPair]:
    with (pair := DoorPair(engine)):
        yield pair


def record(pair: Pair, service: str) -> dict[str, Any]:
    """Return what stands in etcd of the one instance of a service."""
    [key] = [key for key in pair.keys() if f"/instances/{service}/" in key]
    found: dict[str, Any] = json.loads(pair.etcdctl("get", "--print-value-only", key))
    return found


def codes(pair: Pair, container: Container) -> dict[str, str]:
    """Return what docker-register explains of a container, by label or port."""
    refused = json.loads(pair.get(REGISTER_METRICS, "/explain").text)["refused"]
    return {
        where.removeprefix(container.name).strip(" :"): problem["code"]
        for where, problem in refused.items()
        if where.startswith(container.name)
    }


def answering(pair: DoorPair, host: str) -> str:
    reply = pair.get(pair.door, host_header=host)
    assert reply.status == 200, reply
    return reply.text.split()[1]


def published(engine: Engine, pair: Pair, port: int, *flags: str, **environment: str) -> Container:
    """Start a container of service s<port> and return it once it is in the catalog."""
    one = engine.run(
        "tandem-whoami",
        *("-p", str(port), *flags),
        command=(),
        name="",
        SERVICE_NAME=f"s{port}",
        PORTS=str(port),
        **environment,
    )
    key = f"/instances/s{port}/"
    wait_for(lambda: any(key in each for each in pair.keys()), 15, f"s{port} is in the catalog")
    return one


def test_a_host_name_leads_to_the_port_that_virtual_port_names(
    engine: Engine, pair: DoorPair
) -> None:
    forge = engine.run(
        "tandem-whoami",
        *("-p", "3000", "-p", "8022"),
        PORTS="3000,8022",
        SERVICE_3000_NAME="forge-web",
        SERVICE_8022_NAME="forge-ssh",
        VIRTUAL_HOST="git.apps.test",
        VIRTUAL_PORT="3000",
    )

    wait_for(lambda: answering(pair, "git.apps.test") == forge.short, 15, "the door leads to it")

    wait_for(lambda: pair.get(8022).status == 200, 15, "its other port is served")
    web, ssh = record(pair, "forge-web"), record(pair, "forge-ssh")
    assert (web["mode"], web["hosts"]) == ("http", ["git.apps.test"])
    assert (ssh["mode"], ssh["hosts"]) == ("tcp", [])
    assert pair.get(8022).text.split()[1] == forge.short


def test_a_label_that_fits_two_ports_is_refused_alone(engine: Engine, pair: DoorPair) -> None:
    two = engine.run(
        "tandem-whoami",
        *("-p", "3010", "-p", "8032"),
        PORTS="3010,8032",
        SERVICE_3010_NAME="two-web",
        SERVICE_8032_NAME="two-ssh",
        SERVICE_HOSTS="two.apps.test",
        SERVICE_PORT="9999",
    )

    for port in (3010, 8032):
        wait_for(lambda port=port: pair.get(port).status == 200, 15, "it is served")  # type: ignore[misc]

    assert pair.get(pair.door, host_header="two.apps.test").status == 404
    assert codes(pair, two) == {
        "SERVICE_HOSTS": "AMBIGUOUS_LABEL",
        "SERVICE_PORT": "AMBIGUOUS_LABEL",
    }


def test_metadata_of_any_size_keeps_no_container_out(engine: Engine, pair: DoorPair) -> None:
    hosts = [f"name-number-{number}.shop.example.com" for number in range(14)]
    urls = [f"SERVICE_X{number}_URL=https://{'u' * 220}.example" for number in range(60)]
    labels = [word for url in urls for word in ("--label", url)]

    one = published(
        engine,
        pair,
        3020,
        *labels,
        VIRTUAL_HOST=",".join([*hosts, r"~^www\..*\.example$", "_"]),
        SERVICE_TAGS=",".join(f"{'t' * 100}{number}" for number in range(20)),
    )

    wait_for(lambda: answering(pair, hosts[13]) == one.short, 15, "its last name leads to it")
    found = record(pair, "s3020")
    assert found["hosts"] == hosts
    assert len(found["tags"]) == 20
    assert 0 < len(found["attributes"]) < 60
    assert codes(pair, one) == {"VIRTUAL_HOST": "PARTLY_APPLIED", "port 3020": "PARTLY_APPLIED"}


def test_nothing_secret_reaches_etcd_or_a_message(engine: Engine, pair: Pair) -> None:
    one = published(
        engine,
        pair,
        3030,
        *("--label", "SERVICE_REGION=eu-1", "--label", "SERVICE_DB_PASSWORD=hunter1"),
        *("--label", "SERVICE_CHECK_HTTP=https://app:hunter5@db/up"),
        SERVICE_HEX_32_JWT="hunter2",
        SERVICE_REALBASE64_64_KEYS="aHVudGVy",
        SERVICE_FQDN_WEB="hunter3",
        SERVICE_3030_NOTE="hunter4",
    )

    assert record(pair, "s3030")["attributes"] == {"region": "eu-1"}
    said = {"secrets": "LOOKS_SECRET", "SERVICE_CHECK_HTTP": "NOT_APPLIED"}
    assert codes(pair, one) == said
    seen = pair.register.logs() + pair.get(REGISTER_METRICS, "/explain").text
    assert "hunter" not in seen + pair.etcdctl("get", "--prefix", "")


def test_values_are_read_as_go_and_compose_write_them(engine: Engine, pair: Pair) -> None:
    published(
        engine,
        pair,
        3040,
        SERVICE_CHECK_INTERVAL="1m30s",
        SERVICE_CHECK_TIMEOUT="1.5s",
        SERVICE_TIMEOUT='"1h"',
        SERVICE_PANIC="False",
        SERVICE_TAGS="a, b,",
        SERVICE_WEIGHT=" 7 ",
    )

    found = record(pair, "s3040")
    assert (found["check"]["interval_ms"], found["check"]["timeout_ms"]) == (90_000, 1_500)
    assert (found["timeout_ms"], found["weight"]) == (3_600_000, 7)
    assert (found["panic"], found["tags"]) == ("off", ["a", "b"])


def test_a_wrong_value_of_what_only_tunes_keeps_no_container_out(
    engine: Engine, pair: DoorPair
) -> None:
    one = published(
        engine,
        pair,
        3050,
        *("--label", "SERVICE_WEIGHT=heavy", "--label", "SERVICE_CHECK_HTTP=health"),
        SERVICE_TIMEOUT="30",
        SERVICE_MODE="production",
        SERVICE_HOSTS="kafka-1,kafka-2:9092",
    )

    wait_for(lambda: pair.get(3050).status == 200, 15, "it is served")
    found = record(pair, "s3050")
    assert (found["mode"], found["weight"], found["timeout_ms"]) == ("tcp", 100, None)
    assert (found["hosts"], found["check"]["kind"]) == ([], "tcp")
    assert pair.get(pair.door, host_header="kafka-1").status == 404
    wrong = ("WEIGHT", "CHECK_HTTP", "TIMEOUT", "MODE", "HOSTS")
    assert codes(pair, one) == {f"SERVICE_{name}": "NOT_APPLIED" for name in wrong}
    assert pair.register.logs().count("'heavy' is not a whole number") == 1


def test_a_wrong_value_of_what_says_who_refuses_its_port_alone(engine: Engine, pair: Pair) -> None:
    two = engine.run(
        "tandem-whoami",
        *("-p", "3060", "-p", "3061", "--label", "SERVICE_3061_ROLE=stubb"),
        PORTS="3060,3061",
        SERVICE_3060_NAME="s3060",
        SERVICE_3061_NAME="s3061",
    )

    wait_for(lambda: pair.get(3060).status == 200, 15, "the other port is served")

    assert codes(pair, two) == {"3061": "BAD_LABEL"}
    assert not [key for key in pair.keys() if "/s3061/" in key]


def test_what_registrator_reads_and_we_do_not_is_said(engine: Engine, pair: Pair) -> None:
    one = engine.run(
        "tandem-whoami",
        *("-p", "3070", "-p", "3071/udp"),
        *("--label", "SERVICE_3070_tcp_NAME=s3070", "--label", "SERVICE_3071_udp_NAME=s3071"),
        *("--label", "SERVICE_9000-9100_IGNORE=true", "--label", "SERVICE_ID=web.12"),
        PORTS="3070",
        SERVICE_CHECK_SCRIPT="curl -u app:hunter5 $SERVICE_IP",
    )

    wait_for(lambda: pair.get(3070).status == 200, 15, "it is served")

    assert record(pair, "s3070")["attributes"] == {"id": "web.12"}
    assert codes(pair, one) == {
        "3071/udp": "UDP_PORT",
        "SERVICE_3071_udp_NAME": "NOT_READ",
        "SERVICE_9000-9100_IGNORE": "NOT_READ",
        "SERVICE_CHECK_SCRIPT": "NOT_READ",
    }
    assert "hunter5" not in pair.register.logs() + pair.etcdctl("get", "--prefix", "")
