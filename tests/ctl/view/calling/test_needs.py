"""What is put into .env can be sourced whatever stood in etcd, and says what is lacking."""

import json
import shlex
import subprocess
from typing import Any

import pytest
import yaml

from catalog.asking.answer import Answer
from catalog.asking.presence import Presence
from ctl.asking import Heard
from ctl.view.calling.env_forms import document_of, lines_of
from ctl.view.calling.needs import Need, needs_of, prefix_of
from ctl.view.calling.seen import seen_ports
from ctl.view.calling.ways import Caller
from ctl.view.published import Published
from tests.parts.records import instance

PROXIES = {"a": Presence(door=":80")}


def row(service: str, port: int, **more: Any) -> dict[str, Any]:
    listens = [f"127.0.0.1:{port}", f"172.17.0.1:{port}"]
    return {"service": service, "port": port, "mode": "http", "listens": listens, **more}


def server(service: str, port: int, role: str = "real", state: str = "UP") -> dict[str, Any]:
    return {"service": service, "port": port, "role": role, "state": state, "instance": "0a:80"}


def needs(
    asked: str,
    listeners: list[dict[str, Any]],
    servers: list[dict[str, Any]],
    caller: Caller = "host",
    *records: Published,
) -> tuple[Need, ...]:
    answer = Answer(facts={"listeners": listeners}, rows=tuple(servers))
    seen = seen_ports([Heard("a", "discover", answer, 0.1, 7)])
    return needs_of(asked, seen, PROXIES, records, caller)


def test_host_port_and_url() -> None:
    (need,) = needs("orders", [row("orders", 8080)], [server("orders", 8080)])
    assert list(lines_of([need], "env", "host")) == [
        "ORDERS_HOST=localhost",
        "ORDERS_PORT=8080",
        "ORDERS_URL=http://localhost:8080",
    ]
    assert need.is_met


def test_several_ports_have_a_variable_each() -> None:
    ports = [row("forge", 3000), row("forge", 2222, mode="tcp")]
    found = needs("forge", ports, [server("forge", 3000), server("forge", 2222)])
    assert [*found[0].variables, *found[1].variables] == [
        "FORGE_2222_HOST",
        "FORGE_2222_PORT",
        "FORGE_3000_HOST",
        "FORGE_3000_PORT",
        "FORGE_3000_URL",
    ]
    assert "no URL" in found[0].notes[0]

    (only,) = needs("forge:3000", ports, [server("forge", 3000)])
    assert only.variables["FORGE_PORT"] == "3000"


def test_a_known_tcp_protocol_is_a_url() -> None:
    record = Published("a", instance(1, "db", container_port=5432, service_port=5433))
    listener = row("db", 5433, mode="tcp")
    (need,) = needs("db", [listener], [server("db", 5433)], "container", record)
    assert need.variables["DB_URL"] == "postgresql://proxy:5433"


@pytest.mark.parametrize(
    ("servers", "state", "said"),
    [
        ([server("pets", 81, "stub")], "stub", "only a stub answers"),
        ([server("pets", 81, state="DOWN")], "down", "tandem explain pets"),
        ([], "missing", "nobody provides it"),
    ],
)
def test_what_is_lacking_is_said(servers: list[dict[str, Any]], state: str, said: str) -> None:
    (need,) = needs("pets", [row("pets", 81)], servers)
    assert (need.state, need.is_met) == (state, False)
    assert said in need.notes[0]
    assert need.variables["PETS_PORT"] == "81"
    assert ("SERVICE_PORT=81" in need.start) == (state != "stub")


def test_what_is_not_there_has_the_command_of_a_stub() -> None:
    (need,) = needs("shop", [], [])
    assert need.state == "missing"
    assert "SERVICE_NAME=shop --label SERVICE_PORT=auto" in need.start
    assert all(line.startswith("#") for line in lines_of([need], "env", "host"))
    assert "SERVICE_PORT=8085" in needs("shop:8085", [], [])[0].start

    (need,) = needs("x; reboot", [], [])
    assert not need.start


def test_from_a_browser_it_takes_a_host_name() -> None:
    routes = ["orders.example.com/"]
    named = row("orders", 8080, routes=routes)
    (need,) = needs("orders", [named], [server("orders", 8080)], "browser")
    assert need.variables["ORDERS_URL"] == "http://orders.example.com"

    (need,) = needs("orders", [row("orders", 8080)], [server("orders", 8080)], "browser")
    assert (need.variables, need.is_met) == ({}, False)
    assert "HTTP_BIND" in need.notes[0]


def test_nothing_that_stood_in_etcd_is_run_by_who_sources_it() -> None:
    routes = ["x$(touch /tmp/x)/"]
    bad = row("orders\nTOUCH=1", 8080, routes=routes)
    server_ = {**server("orders", 8080), "service": "orders\nTOUCH=1"}
    callers: tuple[Caller, ...] = ("host", "browser")
    for caller in callers:
        (need,) = needs("8080", [bad], [server_], caller)
        for line in lines_of([need], "env", caller):
            name, _, value = line.partition("=")
            assert line.startswith("#") or (name.isidentifier() and shlex.quote(value) == value)


def test_each_form_is_what_it_says() -> None:
    found = [
        *needs("orders", [row("orders", 8080)], [server("orders", 8080)], "container"),
        *needs("3scale", [row("3scale", 81)], [server("3scale", 81, "stub")], "container"),
        *needs("shop", [], [], "container"),
    ]
    shell = "\n".join(lines_of(found, "shell", "container"))
    done = subprocess.run(
        ["sh", "-euc", f'{shell}\necho "$ORDERS_URL $_3SCALE_PORT"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "http://proxy:8080 81\n"
    assert shell.startswith("# start the caller with --add-host")

    service = yaml.safe_load("\n".join(lines_of(found, "compose", "container")))
    assert service["extra_hosts"] == ["proxy:host-gateway"]
    assert service["environment"]["ORDERS_PORT"] == "8080"
    empty = yaml.safe_load("\n".join(lines_of(needs("shop", [], []), "compose", "host")))
    assert empty == {"environment": {}}

    document = json.loads(json.dumps(document_of(found, "container")))
    assert [need["state"] for need in document["needs"]] == ["ready", "stub", "missing"]


def test_names_of_variables() -> None:
    assert prefix_of("shop-api") == "SHOP_API"
    assert prefix_of("3scale") == "_3SCALE"
