"""One-offs: containers that publish a port and are no part of a service all the same."""

from typing import Any

import pytest

from register.offer.instances import OfferSettings, instances_of
from tests.parts.containers import container, published

RUN = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "web",
    "com.docker.compose.oneoff": "True",
}
PODMAN_RUN = {"io.podman.compose.project": "shop", "com.docker.compose.service": "web"}


def offered(**changes: Any) -> dict[str, str]:
    """Return `service: state` for what is offered, and `where: CODE` for the rest."""
    offer = instances_of(container(**changes), OfferSettings("10.0.0.1"))
    found = {each.service: each.state for each in offer.instances}
    return found | {where: problem.code for where, problem in offer.reasons.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": RUN},
        {"labels": RUN | {"com.docker.compose.oneoff": "true"}},
        # inherited from its service
        {"labels": RUN | {"SERVICE_NAME": "web", "SERVICE_8000_PORT": "80"}},
        {"labels": RUN, "env": {"SERVICE_NAME": "web"}},
        {"labels": {"org.testcontainers": "true", "org.testcontainers.lang": "java"}},
        {"labels": PODMAN_RUN, "name": "shop_web_tmp4711"},
        {"labels": PODMAN_RUN, "name": "shop-web-tmp4711"},
    ],
)
def test_a_one_off_is_left_out(changes: dict[str, Any]) -> None:
    where = f"{changes.get('name', 'web-1')}:8000"

    assert offered(**changes) == {where: "ONE_OFF"}


@pytest.mark.parametrize(
    ("changes", "service"),
    [
        ({"labels": RUN | {"com.docker.compose.oneoff": "False"}}, "web"),
        ({"labels": RUN | {"SERVICE_IGNORE": "false"}}, "web"),
        ({"labels": RUN, "env": {"SERVICE_IGNORE": "false"}}, "web"),
        ({"labels": RUN | {"SERVICE_8000_IGNORE": "no", "SERVICE_NAME": "db"}}, "db"),
        ({"labels": PODMAN_RUN, "name": "shop_web_1"}, "web"),
        ({"labels": {}, "name": "shop_web_tmp4711"}, "whoami"),
    ],
)
def test_what_is_no_one_off_or_asks_to_be_published_is_offered(
    changes: dict[str, Any], service: str
) -> None:
    assert offered(**changes) == {service: "ready"}


def test_a_one_off_says_how_it_is_published_all_the_same() -> None:
    offer = instances_of(container(labels=RUN), OfferSettings("10.0.0.1"))

    assert offer.reasons["web-1:8000"].text == (
        "port 8000 of web-1: a one-off of docker compose run; "
        "publish it all the same with the label SERVICE_IGNORE=false"
    )


def test_a_one_off_without_a_port_is_not_logged_whatever_its_service_asks_for() -> None:
    one = container(labels=RUN | {"SERVICE_NAME": "web"}, bindings=())

    reasons = instances_of(one, OfferSettings("10.0.0.1")).reasons

    assert reasons["web-1"].code == "ONE_OFF"
    assert reasons["web-1"].quiet


def test_one_port_of_a_one_off_may_be_published_alone() -> None:
    found = offered(
        labels=RUN | {"SERVICE_81_IGNORE": "false", "SERVICE_81_NAME": "debug"},
        bindings=published(80, 81),
    )

    assert found == {"debug": "ready", "web-1:80": "ONE_OFF"}
