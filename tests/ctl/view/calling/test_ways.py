"""How each kind of caller reaches a service, and why it does not."""

from typing import Any

from catalog.asking.answer import Answer
from catalog.asking.presence import Presence
from ctl.asking import Heard
from ctl.view.calling.seen import SeenPort, seen_ports
from ctl.view.calling.ways import Way, ways_of
from ctl.view.published import Published
from tests.parts.records import instance

LOCAL = ("127.0.0.1:8000", "[::1]:8000")
BRIDGE = (*LOCAL, "172.17.0.1:8000")


def server(up: bool = True, role: str = "real", port: int = 8000) -> dict[str, Any]:
    state = "UP" if up else "DOWN"
    return {"service": "orders", "port": port, "role": role, "state": state, "instance": "0a:80"}


def heard(host: str, *servers: dict[str, Any], **listener: Any) -> Heard:
    row = {"service": "orders", "port": 8000, "mode": "http", "listens": BRIDGE, **listener}
    return Heard(host, "discover", Answer(facts={"listeners": [row]}, rows=servers), 0.1, 7)


def ways(*answers: Heard, door: str = "", **record: Any) -> dict[str, Way]:
    (seen,) = seen_ports(answers)
    proxies = {it.host: Presence(door=door) for it in answers}
    records = [Published("a", instance(1, "orders", **record))] if record else []
    return {way.caller: way for way in ways_of(seen, proxies, records)}


def test_from_the_host_and_from_a_container() -> None:
    found = ways(heard("a", server()), heard("b", server()))
    assert found["host"].url == "http://localhost:8000/"
    assert found["container"].url == "http://proxy:8000/"
    assert found["container"].how == "start the caller with --add-host proxy:host-gateway"


def test_a_tcp_service_has_a_url_only_if_its_protocol_is_certain() -> None:
    found = ways(heard("a", server(), mode="tcp"), container_port=5432)
    assert (found["host"].address, found["host"].url) == (
        "localhost:8000",
        "postgresql://localhost:8000",
    )
    assert "password" in found["host"].how
    found = ways(heard("a", server(), mode="tcp"), container_port=9999)
    assert (found["host"].address, found["host"].url) == ("localhost:8000", "")


def test_instances_that_speak_differently_have_no_url() -> None:
    (seen,) = seen_ports([heard("a", mode="tcp")])
    records = [
        Published("a", instance(1, "orders", container_port=5432)),
        Published("a", instance(2, "orders", container_port=3306)),
    ]
    assert {way.url for way in ways_of(seen, {}, records)} == {""}


def test_loopback_alone_is_no_way_for_a_container() -> None:
    found = ways(heard("a", listens=LOCAL))
    assert (found["container"].address, "set BIND" in found["container"].how) == ("", True)

    found = ways(heard("a", listens=LOCAL), heard("b"))
    assert found["container"].how.endswith("; not on a")
    assert ways(heard("a", listens=["*:8000"]))["container"].address == "proxy:8000"


def test_by_name_at_the_door() -> None:
    routes = ["*.example.com/", "shop.example.com/api/", "orders.example.com/"]
    found = ways(heard("a", routes=routes), door=":80")
    assert found["browser"].url == "http://orders.example.com/"
    assert found["browser"].how == "also shop.example.com/api"
    assert ways(heard("a", routes=routes), door=":81")["browser"].url.endswith(":81/")

    assert "HTTP_BIND" in ways(heard("a"), door=":80")["browser"].how
    assert not ways(heard("a", routes=routes), door=":x")["browser"].host


def test_by_name_alone() -> None:
    found = ways(heard("a", port=0, listens=[], routes=["orders.example.com/"]), door=":80")
    assert (found["host"].address, found["browser"].port) == ("", 80)


def test_the_worst_host_tells_how_it_is() -> None:
    def seen(*answers: Heard) -> SeenPort:
        (found,) = seen_ports(answers)
        return found

    assert seen(heard("a", server(), server())).ups == (2, 0)
    assert seen(heard("a", server()), heard("b", server(up=False))).state == "down"
    assert seen(heard("a", server(False), server(role="stub"))).state == "stub"
    assert seen(heard("a")).state == "down"
    failed = Heard("b", "discover", Answer("failed", "x"), 0.1, 7)
    assert seen(heard("a", server()), failed).state == "ready"
