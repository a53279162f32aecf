"""Which ports of the host a container has or wants, by its inspect."""

import pytest

from catalog.records.host_ports import HostPort
from register.docker.container import Container
from register.docker.parse import parse_inspect
from register.ports.users import KEPT_S, PortUser, user_of

NOW_S = 1000.0


def inspect(
    status: str = "created",
    bindings: object = None,
    *,
    policy: str = "no",
    network: str = "default",
    error: str = "",
) -> Container:
    published = {"8000/tcp": [{"HostIp": "", "HostPort": "8700"}]}
    document = {
        "Id": "a" * 64,
        "Name": "/web",
        "State": {"Status": status, "Error": error},
        "HostConfig": {
            "NetworkMode": network,
            "PortBindings": published if bindings is None else bindings,
            "RestartPolicy": {"Name": policy},
        },
    }
    return parse_inspect(document)


def ports(bindings: object) -> list[tuple[str, int]]:
    user = user_of(inspect(bindings=bindings), NOW_S, None)
    return [(each.address, each.port) for each in user.ports] if user else []


@pytest.mark.parametrize("status", ["created", "running", "paused", "restarting"])
def test_a_container_has_its_ports_from_its_creation_on(status: str) -> None:
    found = user_of(inspect(status), NOW_S, None)

    assert found == PortUser("web", (HostPort(8700, "", "web"),), None)


@pytest.mark.parametrize(
    ("bindings", "found"),
    [
        ({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "81"}]}, [("127.0.0.1", 81)]),
        ({"80/tcp": [{"HostIp": "::", "HostPort": "81"}]}, [("::", 81)]),
        ({"80": [{"HostPort": "81"}]}, [("", 81)]),
        # Docker chooses a free one
        ({"80/tcp": [{"HostPort": ""}]}, []),
        ({"80/tcp": [{"HostPort": "0"}]}, []),
        ({"80/tcp": [{"HostPort": "8000-8010"}]}, []),
        ({"80/udp": [{"HostPort": "81"}], "80/sctp": [{"HostPort": "82"}]}, []),
        # what is odd costs itself alone
        ({"80/tcp": [None, 7, {"HostPort": 81}], "x": None}, [("", 81)]),
        ({"80/tcp": [{"HostPort": "99999"}, {"HostPort": "²"}]}, []),
        ([], []),
    ],
)
def test_only_ports_that_are_named_are_wanted(
    bindings: object, found: list[tuple[str, int]]
) -> None:
    assert ports(bindings) == found


def test_on_the_hosts_network_nothing_is_published() -> None:
    assert user_of(inspect(network="host"), NOW_S, None) is None


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
def test_one_that_docker_starts_again_keeps_its_ports(policy: str) -> None:
    found = user_of(inspect("exited", policy=policy), NOW_S, None)

    assert found is not None
    assert found.until_s is None


def test_one_that_ended_keeps_them_for_a_while_from_the_first_look_on() -> None:
    first = user_of(inspect("exited"), NOW_S, None)
    second = user_of(inspect("exited"), NOW_S + 60, first)

    assert first is not None
    assert first.until_s == NOW_S + KEPT_S
    assert second == first


def test_one_that_could_not_start_keeps_them_and_says_why() -> None:
    error = "driver failed: listen tcp4 0.0.0.0:8700: bind: address already in use"
    found = user_of(inspect("exited", error=error), NOW_S, None)

    assert found is not None
    assert found.until_s is None
    problem = found.problem()
    assert problem is not None
    assert (problem.code, error in problem.text) == ("START_FAILED", True)


@pytest.mark.parametrize("status", ["dead", "removing", "", "other"])
def test_what_is_on_its_way_out_has_nothing(status: str) -> None:
    assert user_of(inspect(status), NOW_S, None) is None
