"""Which address and port of a container other hosts are told, for every way to publish one."""

from ipaddress import ip_network

import pytest

from register.docker.container import Binding, Bridges, Network, Port
from register.offer.instances import OfferSettings, instances_of
from sidecar.status.problems import Problem
from tests.parts.containers import container

BRIDGES = (ip_network("172.17.0.0/16"), ip_network("10.50.0.0/24"), ip_network("fd77::/64"))
Expected = tuple[str, int] | str  # the endpoint, or the code of the refusal


def made(*bindings: tuple[str, int]) -> tuple[Binding, ...]:
    return tuple(Binding(Port(8000), address, port) for address, port in bindings)


def told(
    *bindings: tuple[str, int],
    host_ip: str = "10.0.0.1",
    bridges: Bridges = BRIDGES,
    labels: dict[str, str] | None = None,
) -> tuple[str, int] | Problem:
    one = container(bindings=made(*bindings), labels=labels or {})

    offer = instances_of(one, OfferSettings(host_ip, bridges=bridges))
    if offer.instances:
        (instance,) = offer.instances
        return (instance.address, instance.port)
    return offer.reasons["web-1:8000"]


def short(found: tuple[str, int] | Problem) -> Expected:
    return found.code if isinstance(found, Problem) else found


@pytest.mark.parametrize(
    ("bindings", "host_ip", "expected"),
    [
        # HOST_IP's own first, whatever else there is and however it is sorted
        ([("10.0.0.1", 9), ("0.0.0.0", 1)], "10.0.0.1", ("10.0.0.1", 9)),
        ([("192.0.2.9", 1), ("10.0.0.1", 2)], "10.0.0.1", ("10.0.0.1", 2)),
        ([("10.50.0.1", 1), ("10.60.0.1", 2)], "10.60.0.1", ("10.60.0.1", 2)),
        ([("::ffff:10.0.0.1", 2), ("10.0.0.0", 1)], "10.0.0.1", ("10.0.0.1", 2)),
        ([("fd00:0::1", 2), ("fd00::", 1)], "fd00::1", ("fd00::1", 2)),
        # then every address, in the family of HOST_IP
        ([("10.0.0.0", 1), ("0.0.0.0", 2)], "10.0.0.1", ("10.0.0.1", 2)),
        ([("0.0.0.0", 1), ("::", 2)], "fd00::1", ("fd00::1", 2)),
        ([("::", 2)], "10.0.0.1", "WRONG_FAMILY"),
        ([("::ffff:0.0.0.0", 2)], "10.0.0.1", ("10.0.0.1", 2)),
        # of several, always the same
        ([("0.0.0.0", 81), ("0.0.0.0", 80), ("::", 79)], "10.0.0.1", ("10.0.0.1", 80)),
        # another address of the host, unless other hosts take it for one of their own
        ([("192.0.2.9", 1)], "10.0.0.1", ("192.0.2.9", 1)),
        ([("172.17.0.1", 1)], "10.0.0.1", "BRIDGE_ONLY"),
        ([("10.50.0.1", 1), ("127.0.0.1", 2)], "10.0.0.1", "BRIDGE_ONLY"),
        ([("fd77::1", 1)], "fd00::1", "BRIDGE_ONLY"),
        ([("172.17.0.1", 1), ("192.0.2.9", 2)], "10.0.0.1", ("192.0.2.9", 2)),
        ([("127.0.0.2", 1)], "10.0.0.1", "LOOPBACK_ONLY"),
        ([("::ffff:127.0.0.1", 1)], "10.0.0.1", "LOOPBACK_ONLY"),
        ([("169.254.1.1", 1)], "10.0.0.1", "LOOPBACK_ONLY"),
        ([("fe80::1", 1)], "fd00::1", "LOOPBACK_ONLY"),
        # one host alone: whatever it reaches will do
        ([("172.17.0.1", 1)], "127.0.0.1", ("172.17.0.1", 1)),
        ([("172.17.0.1", 1), ("127.0.0.1", 2)], "127.0.0.1", ("127.0.0.1", 2)),
        ([("172.17.0.1", 1)], "172.17.0.1", ("172.17.0.1", 1)),
        # a bridge with a network card of the host: HOST_IP is on it
        ([("10.50.0.2", 1)], "10.50.0.1", ("10.50.0.2", 1)),
    ],
)
def test_the_binding_that_others_can_reach(
    bindings: list[tuple[str, int]], host_ip: str, expected: Expected
) -> None:
    found = told(*bindings, host_ip=host_ip)
    turned = told(*reversed(bindings), host_ip=host_ip)

    assert short(found) == expected
    assert short(turned) == expected


def test_a_refusal_says_what_to_write() -> None:
    found = told(("172.17.0.1", 18080))

    assert isinstance(found, Problem)
    assert "-p 18080:8000 or -p 10.0.0.1:18080:8000" in found.text


def test_where_the_networks_are_not_told_no_address_is_guessed() -> None:
    assert short(told(("192.0.2.9", 1), bridges=None)) == "BRIDGE_ONLY"
    assert short(told(("192.0.2.9", 1), ("0.0.0.0", 2), bridges=None)) == ("10.0.0.1", 2)
    assert short(told(("10.0.0.1", 1), bridges=None)) == ("10.0.0.1", 1)


@pytest.mark.parametrize(
    ("bindings", "address", "expected"),
    [
        ([("0.0.0.0", 1)], "203.0.113.7", ("203.0.113.7", 1)),
        # the address that is announced chooses the binding
        ([("10.0.0.1", 1), ("192.0.2.9", 2)], "192.0.2.9", ("192.0.2.9", 2)),
        ([("172.17.0.1", 1)], "172.17.0.1", ("172.17.0.1", 1)),
        # who names an address vouches for what leads from there: a tunnel, a NAT
        ([("127.0.0.1", 1)], "203.0.113.7", ("203.0.113.7", 1)),
        ([("127.0.0.1", 1), ("10.0.0.1", 2)], "203.0.113.7", ("203.0.113.7", 2)),
        ([("0.0.0.0", 1)], "::ffff:203.0.113.7", ("203.0.113.7", 1)),
        ([("0.0.0.0", 1)], "127.0.0.1", "BAD_LABEL"),
        ([("0.0.0.0", 1)], "::1", "BAD_LABEL"),
        ([("0.0.0.0", 1)], "169.254.1.1", "BAD_LABEL"),
    ],
)
def test_an_address_that_a_label_names(
    bindings: list[tuple[str, int]], address: str, expected: Expected
) -> None:
    assert short(told(*bindings, labels={"SERVICE_ADDRESS": address})) == expected


def test_a_loopback_address_may_be_named_where_the_host_is_alone() -> None:
    labels = {"SERVICE_ADDRESS": "127.0.0.9"}

    assert short(told(("0.0.0.0", 1), host_ip="127.0.0.1", labels=labels)) == ("127.0.0.9", 1)


@pytest.mark.parametrize(("host_ip", "address"), [("10.0.0.1", "10.5.0.2"), ("fd00::1", "fd05::2")])
def test_a_networks_address_is_of_the_family_that_all_hosts_have(
    host_ip: str, address: str
) -> None:
    one = container(
        networks=(Network("front", "10.5.0.2", "fd05::2"),),
        exposed=(Port(8000),),
        labels={"SERVICE_NETWORK": "front"},
    )

    (instance,) = instances_of(one, OfferSettings(host_ip)).instances

    assert (instance.address, instance.port) == (address, 8000)
