"""Stubs from the image, and the moment when a real instance takes over and gives back: real engine,
real images.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.rig.steady_client import STUB
from bench.switches import PORTS, StubbedPair, stubbed_pair
from tests.parts.engine import docker
from tests.parts.wait import wait_for

SWITCHES = 2  # `python -m bench switches` does 50


@pytest.fixture(scope="module")
def switched() -> Iterator[StubbedPair]:
    """The services after their switches, and their clients, which are still connected."""
    with stubbed_pair() as services:
        for _ in range(SWITCHES):
            for service in services.stubbed.values():
                service.switch()
        yield services


@pytest.mark.parametrize("mode", PORTS)
def test_a_real_instance_takes_over_and_gives_back_without_a_lost_call(
    switched: StubbedPair, mode: str
) -> None:
    client = switched.stubbed[mode].client

    assert client.failed == []
    answerers = [turn.answerer for turn in client.turns]
    assert answerers[::2] == [STUB] * (SWITCHES + 1), "it answers before and after each"
    assert len(answerers) == 2 * SWITCHES + 1, "one takes over once and for all"


def test_an_http_client_keeps_its_one_connection(switched: StubbedPair) -> None:
    assert switched.stubbed["http"].client.connections <= 1 + switched.more_reloads()


def test_a_tcp_client_reconnects_once_for_each_switch(switched: StubbedPair) -> None:
    assert switched.stubbed["tcp"].client.cut <= 2 * SWITCHES


def test_the_debt_is_a_table(switched: StubbedPair) -> None:
    new, head, *rows = switched.pair.discover.exec("stubs").splitlines()

    assert new.endswith("tandem stubs"), "the old word says the new one"
    assert head.split() == ["SERVICE", "SINCE", "STUBS", "CALLS"]
    for service in switched.stubbed.values():
        [(since, stubs, calls)] = [
            row.split()[1:] for row in rows if row.split()[0] == service.labels["SERVICE_NAME"]
        ]
        assert since.endswith("Z")
        assert (stubs, int(calls) > 0) == ("1", True)


def test_an_http_call_to_a_real_instance_that_is_killed_goes_to_the_stub(
    switched: StubbedPair,
) -> None:
    service = switched.stubbed["http"]

    service.switch("SIGKILL")

    assert service.client.failed == []


def test_clients_of_a_worker_that_a_reload_made_old_are_taken_over_too(
    switched: StubbedPair,
) -> None:
    pair, reloads = switched.pair, switched.pair.discover.logs().count(" reloaded ")
    pair.engine.run("tandem-whoami", "-P", SERVICE_NAME="newcomer", SERVICE_PORT="9711")
    wait_for(lambda: pair.get(9711).status == 200, 15, "a new service answers")
    wait_for(lambda: pair.discover.logs().count(" reloaded ") > reloads, 15, "by a reload")

    for service in switched.stubbed.values():
        service.switch()
        assert service.client.failed == []


def test_the_image_is_a_stub_by_itself_and_ends_at_once(
    switched: StubbedPair, tmp_path: Path
) -> None:
    pair = switched.pair
    (tmp_path / "orders.json").write_text('["one"]')
    tmp_path.chmod(0o755)
    labels = ("--label", "SERVICE_NAME=orders", "--label", "SERVICE_PORT=9710")
    one = pair.engine.run("docker-stub", "-P", *labels, "-v", f"{tmp_path}:/stub")

    wait_for(lambda: pair.get(9710, "/orders").text == '["one"]', 15, "it answers through HAProxy")
    assert '"role":"stub"' in pair.etcdctl(
        "get", "--prefix", "/services/v1/hosts/", "--print-value-only"
    )
    (tmp_path / "orders.json").write_text('["two"]')
    wait_for(lambda: pair.get(9710, "/orders").text == '["two"]', 5, "an edit applies")
    assert pair.get(9710, "/orders?stub-status=503").status == 503

    assert one.exec("id", "-un") == "nobody"
    began = time.monotonic()
    one.do("stop")
    assert time.monotonic() - began < 5
    assert "usage: docker-stub" in docker("run", "--rm", "docker-stub", "--help")
