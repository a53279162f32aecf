"""`tandem show` and `tandem need` over a real etcd, docker-discover and HAProxy."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.asking.said_keys import refused_key
from catalog.keys import DrainedKey, key_of
from ctl import ends
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, container_id, local
from tests.parts.register import Register
from tests.parts.scripted_engine import answers_with, inspected, scripted_engine
from tests.parts.shell import Shell
from tests.parts.wait import wait_for


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        yield it


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


@pytest.fixture
def door() -> int:
    return free_port()


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd, door: int) -> Iterator[Discover]:
    flags = ("--host-id", "h1", "--http-bind", f"127.0.0.1:{door}", "--domain", "example.com")
    with discovering(tmp_path / "d", etcd.endpoint, *flags) as it:
        yield it


def test_a_service_has_a_page(etcd: Etcd, discover: Discover, tandem: Shell, door: int) -> None:
    port = free_port()
    with backend("orders") as at:
        dead = local(2, free_port(), port, "orders", mode="http", image="shop:7")
        publish(etcd, local(1, at, port, "orders", mode="http", balance="leastconn"), dead)
        assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE
        wait_for(lambda: "L4CON" in tandem("show", "orders")[1], 10, "a check fails")

        status, out, err = tandem("show", "orders")
        assert (status, err) == (ends.DONE, "")
        lines = out.splitlines()
        assert lines[0] == f"service orders: port {port}, http: 1/2 ready on 1 host"
        assert "orders-2" in out
        assert f"http://localhost:{port}/" in out
        assert f"http://orders.example.com:{door}/" in out
        assert "set BIND" in out
        assert "leastconn  orders-1 on h1" in out

        page = json.loads(tandem("show", "orders", "-o", "json")[1])
        assert [row["container"] for row in page["instances"]] == ["orders-2", "orders-1"]
        assert page["instances"][0]["check"].startswith("L4CON")
        assert page["hosts"][0]["up"] == 1

        status, out, _ = tandem("show", container_id(2)[:12])
        assert status == ends.DONE
        assert "orders-1" not in out
        assert out.splitlines()[0].startswith(
            f"instance {container_id(2)[:12]}: orders port {port}"
        )
        assert tandem("show", "orders-2")[1].splitlines()[1:9] == out.splitlines()[1:9]
        status, _, err = tandem("show", "0000")
        assert (status, "orders-1, 000000000002 orders-2" in err) == (ends.WRONG_USE, True)


def test_what_is_not_there_has_near_names(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    publish(etcd, local(1, free_port(), free_port(), "orders"))
    status, out, err = tandem("show", "order")
    assert (status, out) == (ends.NOT_FOUND, "")
    assert "near: orders" in err


def test_nobody_there_is_unreachable(etcd: Etcd, tandem: Shell) -> None:
    for words in (("show", "x"), ("need", "x")):
        assert tandem(*words)[0] == ends.UNREACHABLE
        status, out, err = tandem(*words, "--etcd-host", "127.0.0.1:1")
        assert (status, out) == (ends.UNREACHABLE, "")
        assert "127.0.0.1:1" in err


def test_what_is_needed_can_be_sourced_and_called(
    tmp_path: Path, etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with backend("orders") as at, backend("pets") as stub:
        publish(
            etcd,
            local(1, at, free_port(), "orders", mode="http"),
            local(2, stub, free_port(), "pets", mode="http", role="stub"),
        )
        assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE
        assert tandem("wait", "pets", "--for", "stub", "--timeout", "20s")[0] == ends.DONE

        status, out, err = tandem("need", "orders", "pets", "shop", "--strict")
        assert (status, "nothing here is called shop" in err) == (ends.NO, True)
        assert "# pets: only a stub answers" in out
        assert "--label SERVICE_NAME=shop" in out
        assert tandem("need", "orders", "--strict")[0] == ends.DONE
        assert tandem("need", "pets", "shop")[0] == ends.DONE

        env = tmp_path / ".env"
        env.write_text(out)
        calls = 'curl -fsS "$ORDERS_URL/"; curl -fsS "http://$PETS_HOST:$PETS_PORT/"'
        script = f". {env}; {calls}"
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
        assert done.stdout == "orderspets"


def test_a_host_has_a_page(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    with backend("orders") as at, backend("pets") as stub:
        port = free_port()
        publish(
            etcd,
            local(1, at, port, "orders"),
            local(2, stub, free_port(), "pets"),
            local(3, free_port(), port, "orders", state="draining"),
        )
        assert tandem("wait", "orders", "pets", "--timeout", "20s")[0] == ends.DONE
        etcd.ctl("put", key_of(PREFIX, DrainedKey("h1")), "x")

        status, out, _ = tandem("show", "host/h1")
        assert status == ends.DONE
        page = json.loads(tandem("show", "host/h1", "-o", "json")[1])
        assert [row["service"] for row in page["instances"]] == ["orders", "orders", "pets"]
        assert page["lost"] == [
            {"service": "orders", "then": "nobody answers"},
            {"service": "pets", "then": "nobody answers"},
        ]
        assert page["proxy"][0]["version"] in out
        assert "it is drained" in out
        assert "its registrar is away" in out

        status, _, err = tandem("show", "host/h2")
        assert (status, "near: h1" in err) == (ends.NOT_FOUND, True)


def test_last_events_come_from_the_journals(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    with backend("orders") as at:
        record = local(1, at, free_port(), "orders")
        publish(etcd, record)
        assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE

        def events(what: str) -> list[str]:
            page = json.loads(tandem("show", what, "-o", "json")[1])
            return [row["what"] for row in page["events"]]

        wait_for(lambda: "came" in events("orders"), 10, "the journal has it")
        assert "came" in events("orders-1")
        assert "Last events" in tandem("show", "orders-1")[1]


def test_a_server_of_the_services_file_has_its_page(
    tmp_path: Path, etcd: Etcd, tandem: Shell
) -> None:
    port = free_port()
    with backend("db") as at:
        file = tmp_path / "services.yaml"
        file.write_text(f"services:\n  db: {{port: {port}, servers: ['127.0.0.1:{at}']}}\n")
        flags = ("--host-id", "h1", "--services", str(file))
        with discovering(tmp_path / "f", etcd.endpoint, *flags):
            assert tandem("wait", "db", "--timeout", "20s")[0] == ends.DONE
            page = json.loads(tandem("show", "db", "-o", "json")[1])

    (row,) = page["instances"]
    assert (row["container"], row["address"]) == ("services file", f"127.0.0.1:{at}")
    assert {it["setting"]: it["by"] for it in page["settings"]}["port"] == "services file"


def test_settings_name_the_label_or_variable(tmp_path: Path, etcd: Etcd, tandem: Shell) -> None:
    with backend("orders") as at:
        found: dict[str, Any] = inspected(1)
        labels = {"SERVICE_NAME": "orders", "SERVICE_PORT": str(free_port())}
        env = ["SERVICE_WEIGHT=50", "DB_PASSWORD=hunter2"]
        exposed = {"Labels": labels, "Env": env, "ExposedPorts": {"80/tcp": {}}}
        ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(at)}]}
        found["Id"] = container_id(1)
        found["State"] = {**found["State"], "Status": "running"}
        found["Config"] = {**found["Config"], **exposed}
        found["NetworkSettings"] = {**found["NetworkSettings"], "Ports": ports}
        with (
            scripted_engine(answers_with([found])) as docker_host,
            Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, HOST_IP="127.0.0.1"),
            discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1"),
        ):
            told = refused_key(PREFIX, "h1")
            wait_for(lambda: etcd.ctl("get", told), 20, "docker-register can be asked")
            assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE
            status, out, _ = tandem("show", "orders")
            assert status == ends.DONE
            assert "label SERVICE_PORT of scripted-1 on h1" in out
            assert "variable SERVICE_WEIGHT of scripted-1 on h1" in out
            assert "hunter2" not in out + tandem("show", "orders", "-o", "json")[1]
            assert "running" in tandem("show", "scripted-1")[1]
