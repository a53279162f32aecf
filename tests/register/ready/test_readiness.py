"""What is ready to be called, and what has to be probed first."""

from typing import Any

import pytest

from register.docker.container import Container, Network
from register.offer.instances import Offer, OfferSettings, instances_of
from register.ready.crash_loop import History, followed
from register.ready.readiness import Findings, InstanceKeys, Started, Target, desired, proven
from tests.parts.containers import ID, container, published

HOST_IP = "10.0.0.1"
KEYS = InstanceKeys("/services", "h1")
STARTED = Started(ID, 1_000_000_000, 8000)
KEY = f"/services/v1/hosts/h1/instances/whoami/{ID[:12]}:8000"


def offer(**changes: Any) -> Offer:
    return instances_of(container(**changes), OfferSettings(HOST_IP))


def findings(*containers: Container, **changes: Any) -> Findings:
    histories = followed({}, containers or [container()], 0.0)
    return Findings(**({"probed": {}, "proven": frozenset(), "histories": histories} | changes))


@pytest.mark.parametrize("result", ["accepted", "unprobed"])
def test_a_probed_port_is_published(result: str) -> None:
    found = desired([offer()], KEYS, findings(probed={STARTED: result}), HOST_IP, 0.0)

    assert list(found.instances) == [KEY]
    assert not found.reasons


def test_a_port_that_nothing_accepted_on_is_not() -> None:
    found = desired([offer()], KEYS, findings(), HOST_IP, 0.0)

    assert not found.instances
    assert {where: problem.code for where, problem in found.reasons.items()} == {
        "web-1:8000": "NOT_LISTENING"
    }


def test_a_result_holds_for_one_start_only() -> None:
    restarted = offer(started_ns=2_000_000_000)

    found = desired([restarted], KEYS, findings(probed={STARTED: "accepted"}), HOST_IP, 0.0)

    assert not found.instances


@pytest.mark.parametrize(
    "changes",
    [{"health": "healthy"}, {"health": "unhealthy"}],
    ids=["healthy", "unhealthy"],
)
def test_what_docker_judges_needs_no_probe(changes: dict[str, Any]) -> None:
    found = desired([offer(**changes)], KEYS, findings(), HOST_IP, 0.0)

    assert list(found.instances) == [KEY]
    assert found.targets == ()


@pytest.mark.parametrize("health", ["healthy", "unhealthy"])
def test_of_several_ports_each_is_probed_whatever_docker_judges(health: str) -> None:
    several = offer(health=health, bindings=published(8000, 9000))
    accepted = Started(ID, 1_000_000_000, 9000)

    found = desired([several], KEYS, findings(probed={accepted: "accepted"}), HOST_IP, 0.0)

    assert [instance.container_port for instance in found.instances.values()] == [9000]
    assert found.reasons["web-1:8000"].code == "NOT_LISTENING"
    assert [target.started.port for target in found.targets] == [8000, 9000]


@pytest.mark.parametrize(
    ("changes", "direct"),
    [
        (
            {"networks": (Network("a", "172.17.0.2", "fd00::2"),)},
            (("172.17.0.2", 8000), ("fd00::2", 8000)),
        ),
        ({}, ()),
    ],
)
def test_what_is_probed(changes: dict[str, Any], direct: tuple[tuple[str, int], ...]) -> None:
    found = desired([offer(**changes)], KEYS, findings(), HOST_IP, 0.0)

    assert found.targets == (Target(STARTED, direct, (HOST_IP, 38000)),)


def test_on_the_hosts_network_the_host_is_asked() -> None:
    labels = {"SERVICE_8000_NAME": "web"}

    found = desired(
        [offer(network_mode="host", bindings=(), labels=labels)], KEYS, findings(), HOST_IP, 0.0
    )

    assert found.targets == (Target(STARTED, ((HOST_IP, 8000),), (HOST_IP, 8000)),)


def test_a_crash_loop_is_neither_published_nor_probed_until_it_is_up_for_a_while() -> None:
    histories = followed(
        followed({}, [container()], 0.0), [container(restart_count=3, started_ns=5)], 1.0
    )
    looping = offer(restart_count=3, started_ns=5, health="healthy")

    now = desired([looping], KEYS, findings(histories=histories), HOST_IP, 2.0)
    later = desired([looping], KEYS, findings(histories=histories), HOST_IP, 11.0)

    assert [problem.code for problem in now.reasons.values()] == ["CRASH_LOOP"]
    assert (now.instances, now.targets, now.due_s) == ({}, (), 11.0)
    assert (list(later.instances), later.due_s) == ([KEY], None)


def test_what_an_earlier_life_published_at_the_same_address_is_proven() -> None:
    mine = offer()
    published = {KEY: mine.instances[0]}

    trusted = proven([mine], KEYS, published, HOST_IP)

    assert trusted == {STARTED}
    assert proven([mine], KEYS, {}, HOST_IP) == frozenset()
    moved = instances_of(container(), OfferSettings("10.0.0.9")).instances[0]
    assert proven([mine], KEYS, {KEY: moved}, HOST_IP) == frozenset()
    assert list(desired([mine], KEYS, findings(proven=trusted), HOST_IP, 0.0).instances) == [KEY]


def test_who_is_ill_again_and_again_stays_draining_until_it_is_well_for_a_while() -> None:
    histories: dict[str, History] = {}
    for at_s, health in enumerate(("healthy", "unhealthy", "healthy", "unhealthy", "healthy")):
        histories = followed(histories, [container(health=health)], float(at_s))

    now = desired([offer(health="healthy")], KEYS, findings(histories=histories), HOST_IP, 5.0)
    later = desired([offer(health="healthy")], KEYS, findings(histories=histories), HOST_IP, 14.0)

    assert ([i.state for i in now.instances.values()], now.due_s) == (["draining"], 14.0)
    assert ([i.state for i in later.instances.values()], later.due_s) == (["ready"], None)


@pytest.mark.parametrize("changes", [{"paused": True}, {}])
def test_what_was_never_ready_is_not_published_on_its_way_out(changes: dict[str, bool]) -> None:
    leaving = instances_of(container(**changes), OfferSettings(HOST_IP), stopping=True)

    assert desired([leaving], KEYS, findings(), HOST_IP, 0.0).instances == {}


def test_what_was_ready_drains() -> None:
    leaving = instances_of(container(), OfferSettings(HOST_IP), stopping=True)

    found = desired([leaving], KEYS, findings(probed={STARTED: "accepted"}), HOST_IP, 0.0)

    assert [instance.state for instance in found.instances.values()] == ["draining"]


def test_a_published_port_is_not_taken_over_by_a_guess_on_the_hosts_network() -> None:
    published = offer(health="healthy")
    labels = {"SERVICE_38000_NAME": "other"}
    other = container(
        id="aa" * 32,
        name="x",
        network_mode="host",
        bindings=(),
        labels=labels,
        health="healthy",
        started_ns=1,
    )
    guess = instances_of(other, OfferSettings(HOST_IP))
    histories = followed({}, [container(), other], 0.0)

    found = desired([guess, published], KEYS, findings(histories=histories), HOST_IP, 0.0)

    assert list(found.instances) == [KEY]
    assert found.reasons["x:38000"].code == "ADDRESS_TAKEN"
