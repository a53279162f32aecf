"""What containers have from their images, with engines that answer this and that."""

import json
from typing import Any

import pytest

from register.docker.container import Container
from register.docker.hints import Hints
from register.docker.source import DockerSource
from tests.parts.containers import recorded
from tests.parts.scripted_engine import LIST, scripted_engine

IMAGE_ID = "sha256:cafe" + "0123456789ab" * 5
BUILT = {"com.docker.compose.project": "shop", "com.docker.compose.service": "base"}


def seen(
    image: str, labels: dict[str, str], described: object, *, status: int = 200, listed: str = ""
) -> Container:
    """Return a container as the source has it; `described` is what the engine says of the image."""
    document = recorded("bridge_published") | {"Image": IMAGE_ID}
    document["Config"] |= {"Image": image, "Labels": labels}
    row = {"Id": document["Id"], "Image": listed or image}
    answers = {
        LIST: (200, json.dumps([row]).encode()),
        f"/containers/{document['Id']}/json": (200, json.dumps(document).encode()),
        f"/images/{IMAGE_ID}/json": (status, json.dumps(described).encode()),
    }
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})
        (found,) = source.containers(Hints(), everything=False).containers
        source.close()
    return found


@pytest.mark.parametrize(
    ("tags", "listed", "is_id"),
    [
        (["cafe:latest", "other:1"], "", False),
        (["other:1"], "", True),
        ([], "", True),
        (None, "", True),
        # the name leads to another image by now
        ([], IMAGE_ID, False),
    ],
)
def test_a_name_like_the_beginning_of_its_id(
    tags: list[str] | None, listed: str, is_id: bool
) -> None:
    found = seen("cafe", {}, {"RepoTags": tags}, listed=listed)

    assert found.image_is_id is is_id


@pytest.mark.parametrize("described", [None, [], {"RepoTags": 7}, {"Config": {"Labels": []}}])
def test_an_odd_image_costs_nothing(described: Any) -> None:
    assert seen("cafe", {}, described).image_is_id
    assert seen("web", BUILT, described).labels == BUILT


@pytest.mark.parametrize("said", [{"message": "no"}, {"error": "no"}, {}, "no", None])
def test_a_proxy_may_refuse_to_tell_of_images(said: object) -> None:
    assert seen("cafe", {}, said, status=403).image_is_id
    assert seen("web", BUILT, said, status=403).labels == BUILT


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {}),
        # compose and podman-compose started it
        ({"com.docker.compose.oneoff": "False"}, BUILT | {"com.docker.compose.oneoff": "False"}),
        (
            {"com.docker.compose.container-number": "1"},
            BUILT | {"com.docker.compose.container-number": "1"},
        ),
        # given to the container, over the image's
        ({"com.docker.compose.service": "db"}, {"com.docker.compose.service": "db"}),
        ({"SERVICE_NAME": "db"}, {"SERVICE_NAME": "db"}),
    ],
)
def test_labels_of_a_compose_service_that_its_image_was_built_for(
    own: dict[str, str], expected: dict[str, str]
) -> None:
    found = seen("shop-web", BUILT | own, {"Config": {"Labels": BUILT | {"a": "b"}}})

    assert found.labels == expected
