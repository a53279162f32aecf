"""What Podman 4.3 said, read as Docker's words. `tests/data/podman` has it as it came."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from register.docker.container import Binding, Container, Network, Port
from register.docker.hints import DockerEvent, Hint, Hints, has_ended, is_asked_to_stop
from register.docker.parse import parse_inspect
from register.docker.podman import in_dockers_words, is_listed, is_podman, with_own_ports
from tests.parts.containers import DATA, container

PODMAN = DATA / "podman"
NAMES = sorted(path.stem for path in PODMAN.glob("*.json"))


def recorded(name: str) -> Container:
    return parse_inspect(json.loads(Path(PODMAN / f"{name}.json").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_container_can_be_read(name: str) -> None:
    one = recorded(name)

    assert one.running
    assert one.started_ns > 1_600_000_000 * 10**9
    assert one.stop_signal == 15


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("published", "bindings", (Binding(Port(8000), "", 42453),)),
        ("published", "networks", (Network("podman", "10.88.0.15"),)),
        ("published", "health", None),
        ("paused", "paused", True),
        ("stopping", "stopping", True),
        ("health_starting", "health", "starting"),
        ("healthy", "health", "healthy"),
        ("unhealthy", "health", "unhealthy"),
        ("sctp", "bindings", (Binding(Port(8000, "sctp"), "", 18005),)),
        ("host", "network_mode", "host"),
        ("host", "exposed", ()),
        ("restarted", "restart_count", 3),
        ("rootless", "bindings", (Binding(Port(8000), "", 18099),)),
        ("rootless", "networks", ()),
    ],
)
def test_single_facts(name: str, field: str, value: object) -> None:
    assert getattr(recorded(name), field) == value


def test_one_that_is_being_stopped_is_asked_to_stop() -> None:
    assert is_asked_to_stop(recorded("stopping"), Hint())
    assert not is_asked_to_stop(recorded("published"), Hint())


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({"Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}, True),
        ({"Components": [{"Name": "Engine", "Version": "20.10.24"}]}, False),
        ({"Components": [None, 7]}, False),
        ({"Components": None}, False),
        ({}, False),
        ([], False),
    ],
)
def test_podman_is_told_by_its_version(version: object, expected: bool) -> None:
    assert is_podman(version) is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("running", True),
        ("paused", True),
        ("stopping", True),
        ("exited", False),
        ("created", False),
        (None, False),
    ],
)
def test_what_is_listed(state: str | None, expected: bool) -> None:
    row: dict[str, Any] = {} if state is None else {"State": state}

    assert is_listed(row) is expected


def event(
    action: str, time_ns: int = 2_000_000_000, signal: str = "", health: str = ""
) -> DockerEvent:
    return in_dockers_words(DockerEvent("a", action, signal, time_ns, health))


def after(*events: DockerEvent) -> Hint:
    hints = Hints()
    for one in events:
        hints = hints.after(one)
    return hints.of("a")


@pytest.mark.parametrize("action", ["died", "die", "remove"])
def test_a_death_ends_a_container(action: str) -> None:
    assert has_ended(container(), after(event(action)))


def test_a_restart_begins_with_a_stop_and_ends_with_a_start() -> None:
    assert is_asked_to_stop(container(), after(event("restart")))
    assert not is_asked_to_stop(container(), after(event("restart"), event("start")))


def test_a_signal_that_is_not_named_is_none() -> None:
    assert after(event("kill")) == Hint()


def test_only_a_change_of_health_is_a_change() -> None:
    same = [event("health_status", health="healthy")] * 3

    assert after(*same).changes == 1
    assert after(*same, event("health_status", health="unhealthy")).changes == 2
    assert after(*same, event("start"), *same).changes == 3
    assert after(event("health_status"), event("health_status")).changes == 2


@pytest.mark.parametrize(
    ("health", "result", "expected"),
    [
        ("", "healthy", 0),  # no HEALTHCHECK: a command that somebody ran
        ("", "unhealthy", 0),
        ("starting", "healthy", 1),
        ("healthy", "healthy", 0),
        ("healthy", "unhealthy", 1),
        ("unhealthy", "healthy", 1),
        ("unhealthy", "unhealthy", 0),
    ],
)
def test_the_end_of_a_check_that_may_change_the_health_is_a_change(
    health: str, result: str, expected: int
) -> None:
    before = Hint(health=health)

    hint = before.after(event("exec_died", health=result))

    assert (hint.changes, hint.health) == (expected, health)


def own_ports(*containers: Container) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return by name how many ports a container has, and with whom it shares them."""
    return {one.name: (len(one.bindings), one.mates) for one in with_own_ports(containers)}


def test_the_ports_of_a_pod_are_its_only_members() -> None:
    infra, member = recorded("pod_infra"), recorded("pod_member")

    assert infra.is_infra
    assert own_ports(infra, member)["inpod"] == (1, ())


def test_the_members_of_a_pod_share_its_ports() -> None:
    infra, member = recorded("pod_infra"), recorded("pod_member")
    other = replace(member, id="b" * 64, name="sidecar")

    assert own_ports(other, infra, member) == {
        "f27a471d8b2e-infra": (1, ()),
        "inpod": (1, ("sidecar",)),
        "sidecar": (1, ("inpod",)),
    }


def test_the_ports_of_a_labelled_pod_are_its_own() -> None:
    infra = replace(recorded("pod_infra"), labels={"SERVICE_NAME": "web"})

    assert own_ports(infra, recorded("pod_member"))["inpod"] == (0, ())


def test_the_ports_of_another_container_are_not_those_of_one_on_its_network() -> None:
    owner, member = recorded("published"), recorded("pod_member")
    on_it = replace(member, network_mode=f"container:{owner.id}")

    assert own_ports(owner, on_it) == {"published": (1, ()), "inpod": (0, ())}
    assert own_ports(on_it) == {"inpod": (0, ())}  # the owner has ended
