"""Which addresses this host has."""

from pathlib import Path

import pytest

from discover.haproxy.ports import bridge_gateway6, has_address

LOOPBACK_AS_BRIDGE = """\
fe80000000000000000000000000aaaa 05 40 20 80  docker0
{address} 05 40 00 80  docker0
20010db8000000000000000000000001 06 40 00 80     eth0
"""


@pytest.mark.parametrize(
    ("address", "is_there"),
    [("127.0.0.1", True), ("::1", True), ("192.0.2.77", False), ("2001:db8::77", False)],
)
def test_an_address_is_there_if_it_can_be_bound(address: str, is_there: bool) -> None:
    assert has_address(address) == is_there


@pytest.mark.parametrize(
    ("digits", "found"),
    [
        ("00000000000000000000000000000001", "::1"),
        # of no interface, as one without a carrier: it cannot be bound yet
        ("20010db8000000000000000000000099", None),
    ],
)
def test_the_bridge_has_the_global_address_that_can_be_bound(
    tmp_path: Path, digits: str, found: str | None
) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(LOOPBACK_AS_BRIDGE.format(address=digits))

    assert bridge_gateway6("docker0", table) == found
    assert bridge_gateway6("docker1", table) is None


def test_a_host_without_ipv6_has_no_such_table(tmp_path: Path) -> None:
    assert bridge_gateway6("docker0", tmp_path / "if_inet6") is None
