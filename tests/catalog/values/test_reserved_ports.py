"""Sets of ports, as settings name them."""

import pytest

from catalog.errors import Rejected
from catalog.values.reserved_ports import RESERVED, port_set


@pytest.mark.parametrize("text", ["off", "22", "22,80-90", RESERVED])
def test_a_set_is_read_and_shown(text: str) -> None:
    assert str(port_set(text)) == text


@pytest.mark.parametrize(
    ("port", "is_in"), [(21, False), (22, True), (79, False), (80, True), (90, True), (91, False)]
)
def test_both_ends_of_a_range_are_in_it(port: int, is_in: bool) -> None:
    assert (port in port_set(" 22, 80-90")) == is_in


@pytest.mark.parametrize("text", ["0", "22-", "90-80", "65536", "ssh", "-1", "²"])
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="is no port and no range"):
        port_set(text)


def test_what_a_host_needs_itself_is_reserved() -> None:
    reserved = port_set(RESERVED)

    assert all(port in reserved for port in (22, 80, 443, 1023, 2375, 2379, 4001, 6443, 9302))
    assert not any(port in reserved for port in (1024, 3306, 5432, 6379, 8000, 8080))
