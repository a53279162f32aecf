"""What this host adds to a configuration."""

import pytest

from discover import this_host
from discover.model.proxy_config import Bind
from discover.settings import settings_of
from discover.this_host import policy_of

GATEWAYS = {"docker0": "172.17.0.1", "podman0": "10.88.0.1"}


@pytest.fixture
def bridged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_host, "bridge_gateway", GATEWAYS.get)
    monkeypatch.setattr(this_host, "bridge_gateway6", lambda: "fd00:17::1")


@pytest.mark.parametrize(
    ("has_ipv6", "hosts"),
    [
        (True, ("127.0.0.1", "::1", "172.17.0.1", "10.88.0.1", "fd00:17::1")),
        (False, ("127.0.0.1", "172.17.0.1", "10.88.0.1")),
    ],
)
def test_service_ports_listen_on_both_loopbacks_and_at_the_bridge(
    bridged: None, monkeypatch: pytest.MonkeyPatch, has_ipv6: bool, hosts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(this_host, "has_address", lambda _address: has_ipv6)

    policy = policy_of(settings_of([], {"HTTP_BIND": "80"}))

    assert policy.hosts == hosts
    assert policy.process.door
    assert policy.process.door.binds == tuple(Bind(host, 80) for host in hosts)
    assert policy.process.stats == Bind("127.0.0.1", 1936)
    assert policy.process.stats_ipv6 == (Bind("::1", 1936) if has_ipv6 else None)


def test_addresses_that_were_asked_for_are_the_only_ones(bridged: None) -> None:
    settings = settings_of([], {"BIND": "127.0.0.1", "STATS": "192.0.2.1:1936"})

    policy = policy_of(settings)

    assert policy.hosts == ("127.0.0.1",)
    assert policy.process.stats_binds == (Bind("192.0.2.1", 1936),)
