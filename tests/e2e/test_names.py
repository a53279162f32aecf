"""Two that share a name by chance are not one service: what callers get. Real images."""

import json
from collections.abc import Iterator

import pytest

from tests.parts.engine import DISCOVER_METRICS, REGISTER_METRICS, Container, Engine, Pair, docker
from tests.parts.pair_service import Calls, Service
from tests.parts.wait import wait_for

CALLS = 12


@pytest.fixture
def images() -> Iterator[tuple[str, str]]:
    """Give the image of two developers one last part of their names."""
    names = ("alice/nm-api:1", "bob/nm-api:1")
    for name in names:
        docker("tag", "tandem-whoami", name)
    yield names
    docker("rmi", "-f", *names)


def of_project(project: str, service: str, *, oneoff: bool = False) -> tuple[str, ...]:
    """Return the labels that compose gives to a container."""
    labels = {"project": project, "service": service, "oneoff": str(oneoff)}
    return tuple(f"--label=com.docker.compose.{name}={text}" for name, text in labels.items())


def run(
    engine: Engine, port: int, *flags: str, image: str = "tandem-whoami", **more: str
) -> Container:
    """Start a container that asks to be published, but has no name of ours."""
    published = ("-p", str(port), *flags)
    return engine.run(
        image, *published, name="", command=(), PORTS=str(port), SERVICE_TAGS="a", **more
    )


def answering(pair: Pair, port: int) -> set[str]:
    """Return who answers a service port, in some calls one after another."""
    return {pair.get(port).text.split()[1] for _ in range(CALLS)}


def reason(pair: Pair, at: int, word: str) -> str:
    """Return the code and the text of the refusals that have a word in them."""
    refused = json.loads(pair.get(at, "/explain").text)["refused"]
    found = [f"{it['code']} {it}" for where, it in refused.items() if word in f"{where} {it}"]
    return " ".join(found)


def is_alone(pair: Pair, port: int, container: Container) -> None:
    wait_for(lambda: answering(pair, port) == {container.short}, 15, "it answers alone")


def test_the_same_service_of_two_compose_projects(engine: Engine, pair: Pair) -> None:
    shop = run(engine, 4010, *of_project("shop", "nm_db"))
    is_alone(pair, 4010, shop)
    blog = run(engine, 4010, *of_project("blog", "nm.db"))
    wait_for(lambda: "NAME_TAKEN" in reason(pair, DISCOVER_METRICS, "project blog"), 15, "refused")

    assert "SERVICE_NAME=blog-nm-db" in reason(pair, DISCOVER_METRICS, "project blog")
    assert answering(pair, 4010) == {shop.short}
    service = Service(pair)
    service.port = 4010
    with Calls(service) as calls:
        shop.do("restart", "-t", "1")
        calls.wait_answered_by(shop)
    assert calls.answered_by == {shop.short}

    # as the reason says; and a port that is free, as that one is shop's
    blog.do("rm", "-f")
    named = {"SERVICE_NAME": "blog-nm-db", "SERVICE_PORT": "4011"}
    blog = run(engine, 4010, *of_project("blog", "nm.db"), **named)
    is_alone(pair, 4011, blog)
    assert answering(pair, 4010) == {shop.short}


def test_a_second_instance_of_a_project_and_a_given_name_join(engine: Engine, pair: Pair) -> None:
    first = run(engine, 4020, *of_project("shop", "nm-web"))
    second = run(engine, 4020, *of_project("shop", "nm-web"))
    third = run(engine, 4020, *of_project("blog", "web"), SERVICE_NAME="nm-web")
    all_ = {each.short for each in (first, second, third)}

    wait_for(lambda: answering(pair, 4020) == all_, 15, "all three take calls")
    assert answering(pair, 4020) == all_


def test_a_one_off_takes_no_calls(engine: Engine, pair: Pair) -> None:
    web = run(engine, 4030, *of_project("shop", "nm-job"), SERVICE_NAME="nm-job")
    is_alone(pair, 4030, web)
    ran = run(engine, 4030, *of_project("shop", "nm-job", oneoff=True), SERVICE_NAME="nm-job")
    wait_for(lambda: "ONE_OFF" in reason(pair, REGISTER_METRICS, ran.name), 15, "left out")

    assert answering(pair, 4030) == {web.short}


def test_two_images_with_one_last_part(engine: Engine, pair: Pair, images: tuple[str, str]) -> None:
    of_alice, of_bob = images
    alice = run(engine, 4040, image=of_alice)
    is_alone(pair, 4040, alice)
    bob = run(engine, 4040, image=of_bob)
    wait_for(lambda: "NAME_TAKEN" in reason(pair, DISCOVER_METRICS, "image bob"), 15, "refused")

    assert "SERVICE_NAME=bob-nm-api" in reason(pair, DISCOVER_METRICS, "image bob")
    assert answering(pair, 4040) == {alice.short}
    for each in (alice, bob):
        each.do("rm", "-f")  # else the images could not be removed
