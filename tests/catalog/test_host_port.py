"""`host:port` and back."""

import pytest

from catalog.host_port import host_port, split_host_port

ADDRESSES = [
    ("etcd", 2379, "etcd:2379"),
    ("10.0.0.5", 80, "10.0.0.5:80"),
    ("fd00::5", 80, "[fd00::5]:80"),
    ("*", 80, "*:80"),
]


@pytest.mark.parametrize(("host", "port", "text"), ADDRESSES)
def test_an_address_is_written_and_read(host: str, port: int, text: str) -> None:
    assert host_port(host, port) == text
    assert split_host_port(text) == (host, str(port))


@pytest.mark.parametrize("text", ["", "80", "etcd", "fd00"])
def test_without_a_colon_there_is_no_host(text: str) -> None:
    assert split_host_port(text) == ("", text)
