"""No labels whatever make a record that docker-discover does not take, nor keep a container out."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records.record import RECORD_BYTES_MAX, decode, encode
from register.docker.container import Container
from register.offer.instances import OfferSettings, instances_of
from tests.parts.containers import container

SETTINGS = OfferSettings("10.0.0.1", zone="é" * 255)
LONG_HOST = ".".join(["h" * 60] * 4)  # 243 characters


def named(prefix: str, count: int, size: int) -> list[str]:
    return [f"{prefix}{number:03}".ljust(size, "x") for number in range(count)]


@pytest.mark.parametrize(
    "labels",
    [
        {"SERVICE_TAGS": ",".join(named("t", 60, 250))},
        {"SERVICE_TAGS": ",".join(named("é", 64, 255))},
        {"SERVICE_TAGS": "t" * 256 + ",b"},
        {"VIRTUAL_HOST": ",".join(f"h{number}.{LONG_HOST}" for number in range(64))},
        {"SERVICE_PATH": ",".join(f"/{name}" for name in named("p", 64, 250))},
        {f"SERVICE_X{number}_URL": "http://" + "u" * 240 for number in range(60)},
        {f"SERVICE_X{number}": "\U0001f600" * 255 for number in range(60)},
    ],
    ids=["tags", "wide tags", "a long tag", "hosts", "paths", "attributes", "wide attributes"],
)
def test_what_no_record_holds_is_left_out_and_said(labels: dict[str, str]) -> None:
    offer = instances_of(container(labels=labels), SETTINGS)

    [instance] = offer.instances
    assert decode(encode(instance)) == instance
    assert {problem.code for problem in offer.reasons.values()} == {"PARTLY_APPLIED"}


def test_it_says_how_much_is_left_out() -> None:
    labels = {f"SERVICE_X{number:02}_URL": "http://" + "u" * 240 for number in range(60)}

    offer = instances_of(container(labels=labels), SETTINGS)

    kept = offer.instances[0].attributes
    assert list(kept) == [f"x{number:02}_url" for number in range(len(kept))]
    assert offer.reasons["web-1 port 8000"].text == (
        "port 8000 of web-1 has more labels than a record holds;"
        f" left out: {60 - len(kept)} of 60 attributes"
    )


def test_as_much_as_fits_is_kept() -> None:
    labels = {"SERVICE_TAGS": ",".join(named("t", 60, 250))}

    [instance] = instances_of(container(labels=labels), OfferSettings("10.0.0.1")).instances

    assert RECORD_BYTES_MAX - 350 < len(encode(instance)) <= RECORD_BYTES_MAX


def test_names_come_before_tags_and_tags_before_attributes() -> None:
    hosts = [f"h{number}.{LONG_HOST}" for number in range(20)]
    labels = {"SERVICE_HOSTS": ",".join(hosts), "SERVICE_TAGS": ",".join(named("t", 20, 250))}
    labels["SERVICE_REGION"] = "r" * 255

    [instance] = instances_of(container(labels=labels), SETTINGS).instances

    assert instance.hosts == tuple(hosts)
    assert 0 < len(instance.tags) < 20
    assert instance.attributes == {}


@pytest.mark.parametrize("size", range(0, 250, 7))
def test_a_record_stays_readable_when_its_state_changes(size: int) -> None:
    tags = [*named("t", 24, 250), "y" * size]
    labels = {"SERVICE_TAGS": ",".join(tags), "SERVICE_REGION": "eu"}
    states = [container(labels=labels), container(labels=labels, paused=True)]

    ready, draining = (
        instances_of(each, OfferSettings("10.0.0.1")).instances[0] for each in states
    )

    assert len(encode(draining)) <= RECORD_BYTES_MAX
    assert ready.tags == draining.tags


WORDS = st.text(max_size=300) | st.text('\U0001f600é\\"', max_size=300)
LABELS = st.dictionaries(
    st.sampled_from(["SERVICE_TAGS", "VIRTUAL_HOST", "VIRTUAL_PATH", "VIRTUAL_PORT"])
    | st.integers(0, 99).map("SERVICE_X{}".format),
    WORDS | st.lists(WORDS, max_size=80).map(",".join),
    max_size=70,
)


@settings(max_examples=150, deadline=None)
@given(LABELS.map(lambda labels: container(labels=labels)))
def test_no_metadata_whatever_keeps_a_container_out(one: Container) -> None:
    offer = instances_of(one, SETTINGS)

    [instance] = offer.instances
    assert len(encode(instance)) <= RECORD_BYTES_MAX
    assert json.loads(encode(instance))["service"] == "whoami"
