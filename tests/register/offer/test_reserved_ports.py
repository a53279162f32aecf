"""Ports of the host: a container gets one as its service port only if it asks for it."""

import pytest

from catalog.records.record import Instance, decode, encode
from catalog.values.reserved_ports import RESERVED, port_set
from register.offer.instances import OfferSettings, instances_of
from tests.parts.containers import container, published

SETTINGS = OfferSettings("10.0.0.1", reserved_ports=port_set(RESERVED))


def offered(port: int, **env: str) -> tuple[Instance, list[tuple[str, bool]]]:
    offer = instances_of(container(bindings=published(port), env=env), SETTINGS)
    (instance,) = offer.instances
    return instance, [(note.code, note.quiet) for note in offer.reasons.values()]


@pytest.mark.parametrize("port", [22, 80, 2379])
def test_a_reserved_port_that_is_only_exposed_is_not_taken(port: int) -> None:
    instance, notes = offered(port, SERVICE_NAME="web")

    assert (instance.service_port, instance.port_reserved) == (None, True)
    assert notes == [("PORT_NOT_ASKED", False)]
    assert decode(encode(instance)) == instance


@pytest.mark.parametrize("label", ["SERVICE_PORT", "SERVICE_80_PORT"])
def test_a_label_asks_for_it(label: str) -> None:
    instance, notes = offered(80, **{label: "80"})

    assert (instance.service_port, instance.port_reserved, notes) == (80, False, [])


def test_who_asks_for_any_port_did_ask() -> None:
    instance, notes = offered(80, SERVICE_PORT="auto")

    assert (instance.service_port, instance.port_reserved, notes) == (None, False, [])


def test_other_ports_are_as_they_were() -> None:
    instance, notes = offered(8000)

    assert (instance.service_port, notes) == (8000, [])
    assert b"port_reserved" not in encode(instance)


def test_a_service_with_host_names_is_not_warned_of() -> None:
    instance, notes = offered(80, VIRTUAL_HOST="shop.example")

    assert (instance.hosts, instance.mode) == (("shop.example",), "http")
    assert notes == [("PORT_NOT_ASKED", True)]
