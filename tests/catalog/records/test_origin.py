"""Origins: what has different names at home differs, and each has another name to offer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records.origin import label_to_add, of_compose, of_image, of_swarm, suggested_name
from catalog.values.rules import ORIGIN, SERVICE_NAME

texts = st.text(max_size=300)


def test_an_origin_reads_well_in_a_message() -> None:
    assert of_compose("shop", "auth_api") == "compose project shop, service auth_api"
    assert of_image("alice/api") == "image alice/api"
    assert of_swarm("shop_db") == "swarm service shop_db"


@given(texts, texts)
def test_a_record_takes_every_origin(one: str, other: str) -> None:
    for origin in (of_compose(one, other), of_image(one), of_swarm(other)):
        assert ORIGIN.fullmatch(origin)


@given(texts, texts)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (of_image(one) == of_image(other)) is (one == other)
    assert (of_compose(one, "db") == of_compose(other, "db")) is (one == other)


@pytest.mark.parametrize(
    ("origin", "service", "expected"),
    [
        (of_compose("shop", "db"), "db", "shop-db"),
        (of_compose("My_Shop", "auth.api"), "auth-api", "my-shop-auth-api"),
        (of_compose("shop", "api"), "api-8080", "shop-api-8080"),
        # named with its project already
        (of_compose("shop", "a-b"), "shop-a-b", "shop-a-b-2"),
        (of_image("bob/api"), "api", "bob-api"),
        (of_image("team/sub/my_app"), "my-app", "sub-my-app"),
        (of_image("nginx"), "nginx", "nginx-2"),
        (of_swarm("shop_db"), "shop-db", "shop-db-2"),
        ("of a later version", "db", "db-2"),
        ("", "db", "db-2"),
        (of_compose("p" * 90, "db"), "db", "p" * 40 + "-b32b57e2-db"),
        (of_compose("shop", "x" * 63), "x" * 63, "x" * 61 + "-2"),
        (of_compose("shop", "x" * 60), "x" * 60, "sh-" + "x" * 60),
    ],
)
def test_the_name_to_take_instead(origin: str, service: str, expected: str) -> None:
    assert suggested_name(origin, service) == expected


@given(texts, texts, st.from_regex(SERVICE_NAME, fullmatch=True))
def test_the_name_to_take_instead_is_a_name_and_another(
    owner: str, name: str, service: str
) -> None:
    for origin in (of_compose(owner, name), of_image(f"{owner}/{name}"), of_swarm(name), owner):
        suggested = suggested_name(origin, service)

        assert SERVICE_NAME.fullmatch(suggested)
        assert suggested != service


def test_the_label_is_the_ports_own_where_a_container_has_several() -> None:
    origin = of_compose("shop", "api")

    assert label_to_add(origin, "api", 8080) == "SERVICE_NAME=shop-api"
    assert label_to_add(origin, "api-8080", 8080) == "SERVICE_8080_NAME=shop-api-8080"
