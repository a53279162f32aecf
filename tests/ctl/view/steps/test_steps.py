"""The steps that each side's answers are: in the order of the way, and with what helps."""

from typing import Any

from catalog.asking.answer import Answer
from catalog.entries import Entry
from catalog.keys import HoldKey, PortKey, key_of
from catalog.records import hold, port_claim
from catalog.records.hold import Hold
from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.chain import chain_of, lines_of
from ctl.view.steps.catalog import held_of, held_steps
from ctl.view.steps.containers import container_steps
from ctl.view.steps.proxies import proxy_steps
from tests.parts.records import PREFIX

CONTAINER = {
    "name": "c-shop",
    "container": "88aa",
    "image": "shop:7",
    "status": "running",
    "asks": ["label SERVICE_NAME=shop"],
    "ports": ["10.0.0.1:32790 -> 80/tcp"],
    "published": [],
    "refused": [],
}
PUBLISHED = {"service": "shop", "address": "10.0.0.1:32790", "state": "ready"}
HELD = (
    (HoldKey("port", "8080"), Hold("orders", "2026-05-12T00:00:00Z")),
    (
        HoldKey("host", "shop.example.com/"),
        Hold("shop", "2026-05-12T00:00:00Z", until="2026-05-12T00:10:00Z"),
    ),
)


def register(**changes: Any) -> Heard:
    return Heard("c", "register", Answer(rows=(CONTAINER | changes,)), 0.1, 7)


def discover(*rows: dict[str, Any], **facts: Any) -> Heard:
    return Heard("a", "discover", Answer(facts={"revision": 7} | facts, rows=rows), 0.1, 7)


def refused(code: str, where: str = "c-shop:80") -> dict[str, str]:
    return {"code": code, "where": where, "text": "x"}


def stages(heard: Heard) -> list[str]:
    return [f"{step.mark}{step.stage}" for step in container_steps(heard)]


def test_what_lies_before_the_refusal_was_passed() -> None:
    assert stages(register(published=[PUBLISHED])) == ["✓container", "✓asks", "✓port", "✓ready"]
    assert stages(register(refused=[refused("LOOPBACK_ONLY")])) == [
        "✓container", "✓asks", "✓port", "✗address",
    ]  # fmt: skip
    assert stages(register(refused=[refused("IGNORED")])) == ["✓container", "✗asks"]
    noted = register(published=[PUBLISHED], refused=[refused("NOT_APPLIED")])
    assert "–name" in stages(noted)


def test_what_helps_names_the_container_and_its_host() -> None:
    *_, last = container_steps(register(refused=[refused("CRASH_LOOP")]))
    assert last.help == "on c: docker logs --tail 50 c-shop"
    *_, last = container_steps(register(refused=[refused("NOT_LABELLED")]))
    assert last.help == "start it with --label SERVICE_NAME=shop"


def test_a_service_that_left_is_said_since_when() -> None:
    listener = {"service": "shop", "listens": ["127.0.0.1:8080"], "mode": "tcp"}
    left = listener | {"empty_s": 720, "last": "10.0.0.1:32790"}
    steps = list(proxy_steps(discover(listeners=[left])))
    assert [step.text for step in steps if step.mark == "✗"] == [
        "shop has no instance for 12m: the last one was at 10.0.0.1:32790",
    ]


def test_a_check_that_fails_says_what_it_saw() -> None:
    row = {
        "role": "real", "instance": "88aa:80", "address": "10.0.0.1:32790", "state": "DOWN",
        "check": "L7STS", "check_code": "503", "said": "Unavailable", "since_s": 200,
    }  # fmt: skip
    *_, server = proxy_steps(discover(row))
    assert server.text == "real 88aa:80 at 10.0.0.1:32790 is DOWN for 3m: L7STS/503 Unavailable"
    assert server.help.startswith("on a: curl -v http://10.0.0.1:32790/")


def test_what_is_held_is_found_by_thing_and_by_holder() -> None:
    entries = [Entry(key_of(PREFIX, key), hold.encode(it), 1, 1, 0) for key, it in HELD]
    entries.append(Entry(key_of(PREFIX, PortKey("pets")), port_claim.encode(10007), 1, 1, 0))
    entries.append(Entry(f"{PREFIX}/v1/holds/port/9", b"{", 1, 1, 0))
    held = tuple(held_of(PREFIX, entries))
    assert len(held) == 3

    for what, text in (
        ("8080", "service port 8080 belongs to orders since 2026-05-12T00:00:00Z"),
        ("orders", "service port 8080 belongs to orders since 2026-05-12T00:00:00Z"),
        ("10007", "port 10007 is assigned to pets"),
    ):
        assert [step.text for step in held_steps(held, what, ())] == [text]

    (step,) = held_steps(held, "shop.example.com", ())
    assert "which has no instance now; until 2026-05-12T00:10:00Z" in step.text

    nothing = Heard("a", "discover", Answer("nothing", "HAProxy runs nothing of 8080"), 0.1, 7)
    chain = chain_of([nothing], Fleet(), (), (), held, "8080")
    assert chain.is_known
    assert not chain.is_reached
    assert not chain_of([nothing], Fleet(), (), (), held, "8081").is_known


def test_what_several_hosts_say_alike_is_one_line() -> None:
    up = {"role": "real", "instance": "88aa:80", "address": "10.0.0.1:1", "state": "UP"}
    heard = [Heard(host, "discover", discover(up).answer, 0.1, 7) for host in ("b", "a", "c")]
    assert list(lines_of(chain_of(heard, Fleet(), ()))) == [
        "✓ a,b,c  HAProxy runs revision 7",
        "✓ a,b,c  real 88aa:80 at 10.0.0.1:1 is UP",
    ]


def test_another_program_at_the_port_answers_the_calls() -> None:
    up = {"role": "real", "instance": "88aa:80", "address": "10.0.0.1:1", "state": "UP"}
    occupied = refused("PORT_IN_USE", "shop:8080 on 127.0.0.1")
    assert chain_of([discover(up)], Fleet(), ()).is_reached
    assert not chain_of([discover(up, refused=[occupied])], Fleet(), ()).is_reached


def test_calls_that_go_elsewhere_are_said() -> None:
    row = {"service": "shop", "to": "192.0.2.77:9000", "by": "anna@box"}
    calls = ("x-dev=anna/", "x-dev=", "/api/", "/")
    heard = discover({}, intercepts=[{**row, "calls": it} for it in calls])
    texts = [step.text for step in proxy_steps(heard) if "intercepts" in step.text]
    assert [text.partition(" go to")[0] for text in texts] == [
        "calls with x-dev=anna", "calls with x-dev", "calls below /api", "all calls",
    ]  # fmt: skip
    assert texts[-1] == "all calls go to 192.0.2.77:9000: anna@box intercepts them"

    heard = discover({}, intercepts=[{"service": "shop", "why": "a circle"}])
    assert "an intercept is not done here: a circle" in [it.text for it in proxy_steps(heard)]
