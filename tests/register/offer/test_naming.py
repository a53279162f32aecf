"""Default names: what a container is called without a label, and by what."""

from typing import Any

import pytest

from catalog.records.record import Instance
from register.offer.instances import OfferSettings, instances_of
from register.offer.naming import ComposeNames
from tests.parts.containers import container, published, recorded_container

SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.service": "auth_api"}
SWARM = {"com.docker.swarm.service.name": "shop_db", "com.docker.stack.namespace": "shop"}


def offered(compose_names: ComposeNames = "service", **changes: Any) -> list[Instance]:
    settings = OfferSettings("10.0.0.1", compose_names=compose_names)
    return list(instances_of(container(**changes), settings).instances)


def named(compose_names: ComposeNames = "service", **changes: Any) -> dict[str, str]:
    """Return the origin of each service that is offered."""
    return {each.service: each.origin for each in offered(compose_names, **changes)}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", {"nginx": "image nginx"}),
        ("docker.io/library/nginx:1.27", {"nginx": "image nginx"}),
        ("library/nginx@sha256:" + "a" * 64, {"nginx": "image nginx"}),
        ("localhost/nginx:latest", {"nginx": "image nginx"}),
        ("alice/api", {"api": "image alice/api"}),
        ("mirror.example:5000/alice/api:1", {"api": "image alice/api"}),
        ("bob/api", {"api": "image bob/api"}),
        ("team/sub/my_app", {"my-app": "image team/sub/my_app"}),
    ],
)
def test_an_image_gives_a_name_and_its_repository(image: str, expected: dict[str, str]) -> None:
    assert named(image=image) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (SHOP, {"auth-api": "compose project shop, service auth_api"}),
        (
            SHOP | {"com.docker.compose.service": "auth.api"},
            {"auth-api": "compose project shop, service auth.api"},
        ),
        ({"com.docker.compose.service": "db"}, {"db": "compose project ?, service db"}),
        (SWARM, {"shop-db": "swarm service shop_db"}),
    ],
)
def test_a_compose_or_swarm_service_gives_its_name(
    labels: dict[str, str], expected: dict[str, str]
) -> None:
    assert named(labels=labels) == expected


def test_several_ports_have_one_origin() -> None:
    assert named(bindings=published(80, 81), labels=SHOP) == {
        "auth-api-80": "compose project shop, service auth_api",
        "auth-api-81": "compose project shop, service auth_api",
    }


@pytest.mark.parametrize(
    "labels", [{"SERVICE_NAME": "db"}, {"SERVICE_8000_NAME": "db"}], ids=["general", "of the port"]
)
def test_a_given_name_has_no_origin(labels: dict[str, str]) -> None:
    assert named(labels=SHOP | labels) == {"db": ""}
    assert named(labels=SHOP, env=labels) == {"db": ""}


def test_a_stub_has_no_origin_as_it_stands_in_for_whatever_has_its_name() -> None:
    assert named(labels=SHOP | {"SERVICE_ROLE": "stub"}) == {"auth-api": ""}


def test_a_setting_puts_the_project_before_a_compose_services_name() -> None:
    origin = "compose project shop, service auth_api"

    assert named("project", labels=SHOP) == {"shop-auth-api": origin}
    assert named("project", labels=SHOP | {"SERVICE_NAME": "db"}) == {"db": ""}
    assert named("project", labels=SWARM) == {"shop-db": "swarm service shop_db"}
    assert named("project", image="alice/api") == {"api": "image alice/api"}


def test_a_recorded_compose_container() -> None:
    offer = instances_of(recorded_container("compose"), OfferSettings("10.0.0.1"))

    assert [each.service for each in offer.instances] == ["front"]
    assert [each.origin[:16] for each in offer.instances] == ["compose project "]


def test_no_service_is_named_by_an_images_id() -> None:
    one = container(image="3f2a1b", image_is_id=True)

    offer = instances_of(one, OfferSettings("10.0.0.1"))

    assert offer.instances == ()
    assert {where: problem.text for where, problem in offer.reasons.items()} == {
        "web-1:8000": "web-1 has no usable name: it was started by its image's id (3f2a1b); "
        "add the label SERVICE_NAME=<name>"
    }
    assert named(image="3f2a1b", image_is_id=True, labels={"SERVICE_NAME": "db"}) == {"db": ""}
    assert list(named(image="3f2a1b", image_is_id=True, labels=SHOP)) == ["auth-api"]


def test_each_of_several_ports_without_a_name_says_the_label_to_add() -> None:
    one = container(image="3f2a1b", image_is_id=True, bindings=published(80, 81))

    reasons = instances_of(one, OfferSettings("10.0.0.1")).reasons

    assert "add the label SERVICE_80_NAME=<name>" in reasons["web-1:80"].text
    assert "add the label SERVICE_81_NAME=<name>" in reasons["web-1:81"].text
