"""A whole host is taken out under load: `docker-register --drain` in the image, and the signal; no
call fails.
"""

import json
from functools import partial
from typing import Any

import pytest

from catalog.keys import InstanceKey, OwnerKey, key_of
from catalog.records.record import encode
from tests.parts.engine import Container, Pair
from tests.parts.pair_service import Calls, Service
from tests.parts.records import PREFIX, instance
from tests.parts.wait import wait_for

ELSEWHERE = "elsewhere"  # another host, played by records under its own keys


def put_elsewhere(pair: Pair, service: Service, one: Container) -> None:
    """Announce a container that this host's registrar leaves alone as an instance of another
    host.
    """
    record = instance(
        1,
        service.name,
        address="127.0.0.1",
        port=one.host_port(service.port),
        service_port=service.port,
    )
    key = InstanceKey(ELSEWHERE, service.name, record.container[:12], record.container_port)
    pair.etcdctl("put", key_of(PREFIX, OwnerKey(ELSEWHERE)), "{}")
    pair.etcdctl("put", key_of(PREFIX, key), encode(record).decode())


def told(pair: Pair) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(pair.register.exec("ask", "/explain"))
    return document


def drained(pair: Pair) -> str | None:
    since: str | None = told(pair)["drained"]
    return since


def refusal(pair: Pair, one: Container, service: Service) -> str | None:
    problem: dict[str, str] | None = told(pair)["refused"].get(f"{one.name}:{service.port}")
    return problem["code"] if problem else None


def is_refused_as_drained(pair: Pair, one: Container, service: Service) -> bool:
    return refusal(pair, one, service) == "HOST_DRAINED"


@pytest.mark.parametrize("how", ["command", "signal"])
def test_a_host_is_drained_under_load_and_comes_back(
    pair: Pair, service: Service, how: str
) -> None:
    here = [service.run(), service.run()]
    other = service.run(SERVICE_IGNORE="true")
    put_elsewhere(pair, service, other)
    service.wait_answered_by(other, *here)

    with Calls(service) as calls:
        if how == "command":
            pair.register.exec("drain", "--drain-wait", "3")
        else:
            pair.register.do("kill", "-s", "USR1")
            wait_for(lambda: service.states() == {"draining", "ready"}, 5, "draining")
        wait_for(
            lambda: service.keys() == ["000000000001:8000"],
            30,
            "only the other host's instance is left",
        )
        assert service.answered_by() == {other.short}
        for one in here:
            one.do("kill")  # whatever work was planned
        calls.wait_for_more()
        wait_for(lambda: drained(pair), 10, "the registrar says so")
        one = service.run()
        wait_for(
            partial(is_refused_as_drained, pair, one, service),
            10,
            "a new one is not published",
        )
        assert service.answered_by() == {other.short}
        if how == "command":
            pair.register.exec("undrain")
        else:
            pair.register.do("kill", "-s", "USR2")
        service.wait_answered_by(other, one)
        calls.wait_for_more()

    print(f"{how}: {calls.done} calls, {len(calls.failures)} failed")
    assert calls.failures == []
    pair.etcdctl("del", "--prefix", f"{PREFIX}/v1/hosts/{ELSEWHERE}/")


def test_a_container_is_drained_with_the_flags_that_it_was_run_with(pair: Pair) -> None:
    flags = (
        "--etcd-host",
        f"{pair.address}:2379",
        "--host-id",
        "flagged",
        "--host-ip",
        pair.address,
    )
    ours = ("--net", "host", "-v", "/var/run/docker.sock:/var/run/docker.sock", "-e", "METRICS=off")
    one = pair.engine.run(
        "docker-register", *ours, command=(*flags, "--register", "labelled", "--zone", "two words")
    )
    root = f"{PREFIX}/v1/hosts/flagged"
    wait_for(lambda: f"{root}/owner" in pair.etcdctl("get", "--prefix", root), 30, "claimed")

    one.exec("drain", "--drain-wait", "0")
    assert pair.etcdctl("get", "--prefix", "--keys-only", root).split() == [f"{root}/drained"]
    one.exec("undrain")

    wait_for(lambda: f"{root}/owner" in pair.etcdctl("get", "--prefix", root), 30, "claimed again")
    one.do("rm", "-f", "-v")
    pair.etcdctl("del", "--prefix", root)
