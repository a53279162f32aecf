"""Which ports of a container are a range for data, and so no services."""

from typing import Any

import pytest

from register.docker.container import Binding, Port
from register.offer.instances import OfferSettings, instances_of
from register.offer.port_ranges import ranges_of
from tests.parts.containers import container, published

SETTINGS = OfferSettings("10.0.0.1")
PASSIVE = tuple(range(30000, 30150))


def offered(**changes: Any) -> dict[str, str]:
    """Return `service: port` for what is offered, and `where: CODE` for the rest."""
    offer = instances_of(container(**changes), SETTINGS)
    found = {instance.service: str(instance.container_port) for instance in offer.instances}
    return found | {where: problem.code for where, problem in offer.reasons.items()}


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([], ()),
        (range(7000, 7009), ()),
        (range(7000, 7010), ("7000-7009",)),
        ([21, *range(7000, 7020), *range(8000, 8010), 9000], ("7000-7019", "8000-8009")),
        ([80, 443, 8080, 9090, 9091, 9092, 9100, 9200, 9300, 9301, 9302], ()),
        (range(7000, 7040, 2), ()),
    ],
)
def test_ten_in_a_row_are_a_range(ports: range | list[int], expected: tuple[str, ...]) -> None:
    assert tuple(map(str, ranges_of(Port(number) for number in ports))) == expected


def test_each_protocol_has_its_own() -> None:
    mixed = [Port(number, "udp" if number % 2 else "tcp") for number in range(100, 130)]
    both = [Port(number, protocol) for number in range(100, 110) for protocol in ("tcp", "udp")]

    assert ranges_of(mixed) == ()
    assert [str(each) for each in ranges_of(both)] == ["100-109", "100-109/udp"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, {"whoami": "21"}),
        ({"SERVICE_NAME": "ftp"}, {"ftp": "21"}),
        (
            {"SERVICE_21_NAME": "ftp", "SERVICE_30007_NAME": "seven"},
            {"ftp": "21", "seven": "30007"},
        ),
        ({"SERVICE_30007_IGNORE": "true"}, {"whoami": "21", "web-1:30007": "IGNORED"}),
    ],
)
def test_the_main_port_is_a_service_and_the_passive_range_is_not(
    labels: dict[str, str], expected: dict[str, str]
) -> None:
    found = offered(bindings=published(21, *PASSIVE), labels=labels)

    assert found == expected | {"web-1:30000-30149": "IN_RANGE"}


def test_a_range_alone_says_what_makes_a_service_of_it() -> None:
    offer = instances_of(container(bindings=published(*PASSIVE)), SETTINGS)

    assert offer.instances == ()
    problem = offer.reasons["web-1:30000-30149"]
    assert "SERVICE_30000_NAME=<name>" in problem.text
    assert not problem.quiet


def test_a_thousand_udp_ports_are_one_reason() -> None:
    rtp = [Binding(Port(number, "udp"), "0.0.0.0", number) for number in range(10000, 11000)]

    found = offered(bindings=(*published(5060), *rtp))

    assert found == {"whoami": "5060", "web-1:10000-10999/udp": "UDP_PORT"}


def test_ports_on_the_hosts_network_are_a_range_as_well() -> None:
    exposed = tuple(Port(number) for number in (21, *PASSIVE))

    found = offered(network_mode="host", bindings=(), exposed=exposed)

    assert found == {"whoami": "21", "web-1:30000-30149": "IN_RANGE"}
