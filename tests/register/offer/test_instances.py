"""Which instances a container offers, for every kind of network and every way to name them."""

from dataclasses import replace
from typing import Any

import pytest

from register.docker.container import Binding, Network, Port
from register.offer.instances import OfferSettings, instances_of
from tests.parts.containers import container, published, recorded_container

SETTINGS = OfferSettings("10.0.0.1")


def offered(settings: OfferSettings = SETTINGS, **changes: Any) -> dict[str, str]:
    """Return `service: address:port` for what is offered, and `where: CODE` for the rest."""
    offer = instances_of(container(**changes), settings)
    found = {
        instance.service: f"{instance.address} {instance.port}" for instance in offer.instances
    }
    return found | {where: problem.code for where, problem in offer.reasons.items()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bridge_published", {"whoami": ("10.0.0.1", 32768, 8000, "ready")}),
        ("bridge_fixed", {"debian": ("10.0.0.1", 18123, 8000, "ready")}),
        (
            "bridge_several",
            {
                "web": ("10.0.0.1", 32770, 8000, "ready"),
                "debian": ("10.0.0.1", 32769, 9000, "ready"),
            },
        ),
        ("bridge_unpublished", "NO_PUBLISHED_PORT"),
        ("bridge_loopback", "LOOPBACK_ONLY"),
        ("bridge_ipv6_only", "WRONG_FAMILY"),
        ("bridge_specific", {"debian": ("192.0.2.2", 18126, 8000, "ready")}),
        ("bridge_udp", {"debian": ("10.0.0.1", 18127, 53, "ready")}),
        ("host", {"debian": ("10.0.0.1", 8765, 8765, "ready")}),
        ("host_no_port", {"web": ("10.0.0.1", 8766, 8766, "ready")}),
        ("none", "NO_PUBLISHED_PORT"),
        ("container_mode", "NO_PUBLISHED_PORT"),
        ("two_networks", {"debian": ("172.18.0.2", 8000, 8000, "ready")}),
        ("health_starting", "STARTING"),
        ("unhealthy", {"debian": ("10.0.0.1", 32772, 8000, "draining")}),
        ("paused", {"front": ("10.0.0.1", 32774, 8000, "draining")}),
        ("compose", {"front": ("10.0.0.1", 32774, 8000, "ready")}),
    ],
)
def test_recorded_containers(name: str, expected: object) -> None:
    offer = instances_of(recorded_container(name), SETTINGS)

    if isinstance(expected, str):
        assert offer.instances == ()
        assert [problem.code for problem in offer.reasons.values()] == [expected]
    else:
        assert {
            i.service: (i.address, i.port, i.service_port, i.state) for i in offer.instances
        } == expected


@pytest.mark.parametrize(
    ("ports", "labels", "expected"),
    [
        ((80,), {}, {"whoami": "80"}),
        ((80, 81), {}, {"whoami-80": "80", "whoami-81": "81"}),
        ((80,), {"SERVICE_NAME": "web"}, {"web": "80"}),
        (
            (80, 81),
            {"SERVICE_NAME": "web"},
            {"web-1:80": "AMBIGUOUS_PORT", "web-1:81": "AMBIGUOUS_PORT"},
        ),
        ((80, 81), {"SERVICE_80_NAME": "a", "SERVICE_81_NAME": "b"}, {"a": "80", "b": "81"}),
        (
            (80, 81),
            {"SERVICE_NAME": "web", "SERVICE_81_NAME": "admin"},
            {"web": "80", "admin": "81"},
        ),
        (
            (80, 81),
            {"SERVICE_NAME": "web", "SERVICE_80_NAME": "web"},
            {"web": "80", "web-1:81": "NOT_CHOSEN"},
        ),
        (
            (80, 81),
            {"SERVICE_NAME": "web", "SERVICE_81_IGNORE": "true"},
            {"web": "80", "web-1:81": "IGNORED"},
        ),
        (
            (80, 81),
            {"SERVICE_NAME": "web", "SERVICE_80_PORT": "8080"},
            {"web": "80", "web-1:81": "NOT_CHOSEN"},
        ),
        ((80, 81), {"SERVICE_81_NAME": "admin"}, {"whoami": "80", "admin": "81"}),
        ((80,), {"SERVICE_NAME": "My_Web.App/v1"}, {"my-web-app-v1": "80"}),
        ((80,), {"SERVICE_NAME": "-web"}, {"web-1:80": "BAD_NAME"}),
        ((80,), {"SERVICE_NAME": "w" * 64}, {"web-1:80": "BAD_NAME"}),
        ((80,), {"SERVICE_NAME": "web\n"}, {"web-1:80": "BAD_NAME"}),
        ((80,), {"com.docker.compose.service": "shop_front"}, {"shop-front": "80"}),
        ((80,), {"SERVICE_IGNORE": "true"}, {"web-1:80": "IGNORED"}),
        ((80,), {"SERVICE_IGNORE": "false"}, {"whoami": "80"}),
        ((80,), {"SERVICE_81_NAME": "web"}, {"whoami": "80", "web-1:81": "NO_PUBLISHED_PORT"}),
    ],
)
def test_names(ports: tuple[int, ...], labels: dict[str, str], expected: dict[str, str]) -> None:
    found = offered(bindings=published(*ports), labels=labels)

    assert {name: text.replace("10.0.0.1 300", "") for name, text in found.items()} == expected


def test_an_ambiguous_port_says_the_line_to_add() -> None:
    offer = instances_of(
        container(bindings=published(80, 81), labels={"SERVICE_NAME": "web"}), SETTINGS
    )

    assert offer.reasons["web-1:80"].text == (
        "web-1 has ports 80, 81 and one SERVICE_NAME: choose with the label SERVICE_80_NAME=web"
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("registry.example:5000/team/my_app:1", "my-app"),
        ("team/app@sha256:" + "a" * 64, "app"),
        ("56a4636f6ac5", "56a4636f6ac5"),
        ("", None),
    ],
)
def test_the_name_that_an_image_gives(image: str, expected: str | None) -> None:
    assert list(offered(image=image)) == ([expected] if expected else ["web-1:8000"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"network_mode": "host", "bindings": ()}, {"web-1": "HOST_PORT_UNKNOWN"}),
        ({"labels": {"SERVICE_NETWORK": "front"}}, {"web-1": "HOST_PORT_UNKNOWN"}),
        (
            {"labels": {"SERVICE_NETWORK": "front"}, "exposed": (Port(8000),)},
            {"web-1:8000": "NO_NETWORK"},
        ),
        (
            {
                "labels": {"SERVICE_NETWORK": "front", "SERVICE_9000_NAME": "admin"},
                "networks": (Network("front", "10.5.0.2", "fd05::2"),),
            },
            {"admin": "10.5.0.2 9000"},
        ),
        (
            {
                "labels": {"SERVICE_NETWORK": "front"},
                "networks": (Network("front", "", "fd05::2"),),
                "exposed": (Port(8000), Port(53, "udp"), Port(8000, "sctp")),
            },
            {
                "whoami": "fd05::2 8000",
                "web-1:53/udp": "UDP_PORT",
                "web-1:8000/sctp": "SCTP_PORT",
            },
        ),
        ({"labels": {"SERVICE_ADDRESS": "203.0.113.7"}}, {"whoami": "203.0.113.7 38000"}),
        ({"labels": {"SERVICE_ADDRESS": "host.example"}}, {"web-1:8000": "BAD_LABEL"}),
        ({"labels": {"SERVICE_ADDRESS": "0.0.0.0"}}, {"web-1:8000": "BAD_LABEL"}),
        ({"is_infra": True}, {"web-1": "POD_INFRA"}),
        ({"is_infra": True, "labels": {"SERVICE_NAME": "pod"}}, {"pod": "10.0.0.1 38000"}),
        ({"mates": ("db-1",)}, {"web-1:8000": "POD_PORT"}),
        ({"mates": ("db-1",), "labels": {"SERVICE_NAME": "web"}}, {"web": "10.0.0.1 38000"}),
        (
            {"mates": ("db-1",), "labels": {"SERVICE_8000_MODE": "http"}},
            {"whoami": "10.0.0.1 38000"},
        ),
        ({"running": False}, {"web-1": "NOT_RUNNING"}),
        ({"restarting": True}, {"web-1": "NOT_RUNNING"}),
        ({"health": "healthy"}, {"whoami": "10.0.0.1 38000"}),
    ],
)
def test_modes_and_states(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert offered(**changes) == expected


@pytest.mark.parametrize("protocol", ["udp", "sctp"])
def test_a_port_that_is_not_tcp_is_called_what_it_is(protocol: str) -> None:
    one = container(bindings=(Binding(Port(3868, protocol), "0.0.0.0", 33868),))

    problem = instances_of(one, SETTINGS).reasons[f"web-1:3868/{protocol}"]

    assert problem.text == f"port 3868/{protocol} of web-1 is not TCP"


def test_no_network_lists_those_it_is_on() -> None:
    networks = (Network("back", "10.6.0.2"), Network("mesh", "10.7.0.2"))
    labels = {"SERVICE_NETWORK": "front", "SERVICE_8000_NAME": "web"}

    offer = instances_of(container(labels=labels, networks=networks), SETTINGS)

    assert "'front' is not one of its networks (back, mesh)" in offer.reasons["web-1:8000"].text


@pytest.mark.parametrize(
    ("labels", "env", "expected"),
    [
        ({}, {}, {"web-1:8000": "NOT_LABELLED"}),
        ({"SERVICE_NAME": "web"}, {}, {"web": "10.0.0.1 38000"}),
        ({}, {"SERVICE_8000_NAME": "web"}, {"web": "10.0.0.1 38000"}),
        ({"SERVICE_REGION": "eu"}, {}, {"web-1:8000": "NOT_LABELLED"}),
        ({"SERVICE_MODE": "http"}, {}, {"whoami": "10.0.0.1 38000"}),
    ],
)
def test_labelled_means_only_those_that_ask(
    labels: dict[str, str], env: dict[str, str], expected: object
) -> None:
    assert offered(OfferSettings("10.0.0.1", "labelled"), labels=labels, env=env) == expected


@pytest.mark.parametrize(
    ("changes", "stopping", "state"),
    [
        ({}, False, "ready"),
        ({}, True, "draining"),
        ({"paused": True}, False, "draining"),
        ({"health": "unhealthy"}, False, "draining"),
        ({"health": "healthy"}, False, "ready"),
    ],
)
def test_when_an_instance_drains(changes: dict[str, Any], stopping: bool, state: str) -> None:
    offer = instances_of(container(**changes), SETTINGS, stopping=stopping)

    assert [instance.state for instance in offer.instances] == [state]


def test_the_service_port_is_the_containers_own_unless_given() -> None:
    given = [{}, {"SERVICE_PORT": "80"}, {"SERVICE_PORT": "auto"}]

    found = [
        instances_of(container(labels=labels), SETTINGS).instances[0].service_port
        for labels in given
    ]

    assert found == [8000, 80, None]


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        ({}, {"STARTING"}),
        ({"SERVICE_IGNORE": "true"}, {"IGNORED"}),
        ({"SERVICE_MODE": "htp"}, {"BAD_LABEL"}),
    ],
)
def test_a_container_that_starts_is_told_at_once_what_no_time_heals(
    labels: dict[str, str], codes: set[str]
) -> None:
    starting = replace(recorded_container("health_starting"), labels=labels, env={})

    offer = instances_of(starting, SETTINGS)

    assert offer.instances == ()
    assert {problem.code for problem in offer.reasons.values()} == codes
