"""An offer is kept as long as nothing that it is made from changes."""

from typing import Any

import pytest

from catalog.records.record import encode
from register.docker.container import Container
from register.docker.hints import DockerEvent, Hints
from register.offer.instances import Offer, OfferSettings, instances_of
from register.offer.offers import Offers
from tests.parts.containers import ID, container, published

SETTINGS = OfferSettings("10.0.0.1")
OTHER = container(id="ab" * 32, name="db-1", bindings=published(5432))


def event(action: str, time_ns: int = 2_000_000_000) -> DockerEvent:
    return DockerEvent(ID, action, "15" if action == "kill" else "", time_ns)


def offered(
    offers: Offers, first: Container, hints: Hints | None = None, settings: OfferSettings = SETTINGS
) -> tuple[Offer, Offer]:
    one, two = offers.of((first, OTHER), hints or Hints(), settings)
    return one, two


def test_an_unchanged_container_keeps_its_offer() -> None:
    offers = Offers()
    before = offered(offers, container())

    after = offered(offers, container())

    assert after[0] is before[0]
    assert after[1] is before[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "web-2"},
        {"labels": {"SERVICE_NAME": "x"}},
        {"paused": True},
        {"bindings": ()},
        {"started_ns": 5},
    ],
)
def test_a_changed_container_gets_a_new_offer_and_the_others_keep_theirs(
    changes: dict[str, Any],
) -> None:
    offers = Offers()
    before = offered(offers, container())

    after = offered(offers, container(**changes))

    assert after[0] == instances_of(container(**changes), SETTINGS)
    assert after[1] is before[1]


@pytest.mark.parametrize(
    ("action", "states"), [("kill", ["draining"]), ("die", []), ("rename", ["ready"])]
)
def test_an_event_counts_at_once(action: str, states: list[str]) -> None:
    offers = Offers()
    offered(offers, container())

    after = offered(offers, container(), Hints().after(event(action)))

    assert [instance.state for instance in after[0].instances] == states


def test_an_event_of_an_earlier_start_does_not() -> None:
    late = container(started_ns=3_000_000_000)

    offer = offered(Offers(), late, Hints().after(event("die")))[0]

    assert [instance.state for instance in offer.instances] == ["ready"]


def test_other_settings_count_for_all() -> None:
    offers = Offers()
    offered(offers, container())

    after = offered(offers, container(), settings=OfferSettings("10.0.0.2"))

    assert [offer.instances[0].address for offer in after] == ["10.0.0.2", "10.0.0.2"]


def test_a_container_that_is_gone_is_forgotten() -> None:
    offers = Offers()
    before = offered(offers, container())

    assert offers.of((OTHER,), Hints(), SETTINGS) == (before[1],)
    assert offered(offers, container())[0] is not before[0]


def test_records_are_those_of_the_instances_as_they_are_now() -> None:
    offers = Offers()
    ready = offered(offers, container())[0].instances[0]
    draining = offered(offers, container(paused=True))[0].instances[0]
    before = offers.records({"/a": ready, "/b": ready})

    after = offers.records({"/a": ready, "/b": draining})

    assert before == {"/a": encode(ready), "/b": encode(ready)}
    assert after == {"/a": encode(ready), "/b": encode(draining)}
    assert after["/a"] is before["/a"]
