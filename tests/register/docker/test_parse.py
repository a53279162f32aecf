"""Reading containers from Docker's JSON."""

import copy
from typing import Any

import pytest

from catalog.errors import Rejected
from register.docker.container import Binding, Network, Port
from register.docker.parse import parse_bridges, parse_inspect, parse_signal, parse_time
from tests.parts.containers import INSPECT, recorded, recorded_container

NAMES = sorted(path.stem for path in INSPECT.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_container_can_be_read(name: str) -> None:
    container = recorded_container(name)

    assert len(container.id) == 64
    assert container.image == "debian:trixie-slim"
    assert container.started_ns > 1_600_000_000 * 10**9
    assert container.odd == ()


def test_what_a_published_container_says() -> None:
    container = recorded_container("bridge_published")

    assert container.name == "reg-test-rec-bridge_published"
    assert container.labels == {"SERVICE_NAME": "whoami"}
    assert container.networks == (Network("bridge", "172.17.0.2"),)
    assert container.exposed == (Port(8000),)
    assert container.bindings == (
        Binding(Port(8000), "0.0.0.0", 32768),
        Binding(Port(8000), "::", 32768),
    )
    assert (container.running, container.paused, container.health) == (True, False, None)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("paused", "paused", True),
        ("unhealthy", "health", "unhealthy"),
        ("health_starting", "health", "starting"),
        ("stop_signal", "stop_signal", 3),
        ("host", "network_mode", "host"),
        ("none", "networks", (Network("none"),)),
        ("bridge_several", "env", {"SERVICE_8000_NAME": "web"}),
    ],
)
def test_single_facts(name: str, field: str, value: object) -> None:
    assert getattr(recorded_container(name), field) == value


def test_missing_parts_read_as_empty() -> None:
    document = {"Id": "a" * 64, "State": {"StartedAt": "2026-01-01T00:00:00Z"}}

    container = parse_inspect(document)

    assert container.name == "a" * 12
    assert container.image == ""
    assert container.bindings == ()
    assert not container.running


IMAGE_ID = "cafe" + "0123456789ab" * 5


@pytest.mark.parametrize(
    ("image", "image_id", "expected"),
    [
        ("nginx", "sha256:" + IMAGE_ID, False),
        ("cafe:1", "sha256:" + IMAGE_ID, False),
        ("team/cafe", "sha256:" + IMAGE_ID, False),
        ("team/app@sha256:" + IMAGE_ID, "sha256:" + IMAGE_ID, False),
        # names that only look like an id
        ("feed", "sha256:" + IMAGE_ID, False),
        ("deadbeef1234", "sha256:" + IMAGE_ID, False),
        ("cafe0123", "sha256:" + IMAGE_ID, True),
        ("cafe", "sha256:" + IMAGE_ID, True),
        ("cafe0123", IMAGE_ID, True),  # as podman writes ids
        (IMAGE_ID, "sha256:" + IMAGE_ID, True),
        ("sha256:cafe", "sha256:" + IMAGE_ID, True),
        # a manifest's digest instead of the image's
        ("sha256:" + "9" * 64, "sha256:" + IMAGE_ID, True),
        ("9" * 64, "sha256:" + IMAGE_ID, True),
        ("cafe", "", False),
        ("", "", False),
    ],
)
def test_an_image_that_was_named_by_its_id(image: str, image_id: str, expected: bool) -> None:
    document = recorded("bridge_published") | {"Image": image_id}
    document["Config"] |= {"Image": image}

    container = parse_inspect(document)

    assert (container.image, container.image_is_id) == (image, expected)


def test_a_hostile_name_is_made_printable() -> None:
    document = recorded("bridge_published") | {"Name": "/web\n\x1b[2J" + "x" * 500}

    container = parse_inspect(document)

    assert container.name.startswith("web??[2Jx")
    assert len(container.name) == 255


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Id",), "short"),
        (("Id",), 7),
        (("State",), []),
        (("State",), None),
        (("State", "Running"), "perhaps"),
    ],
)
def test_without_what_tells_a_container_it_is_rejected_in_one_line(
    path: tuple[str, ...], value: object
) -> None:
    document = with_value("bridge_published", path, value) | {"Status": None}
    document["State"] = document["State"] and {**document["State"], "Status": "odd"}

    with pytest.raises(Rejected, match=r"\A[^\n]+\Z"):
        parse_inspect(document)


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        (("State", "Running"), "yes", "running", True),  # its Status says so
        (("State", "StartedAt"), "yesterday", "started_ns", 0),
        (("State", "StartedAt"), "2026-13-01T00:00:00Z", "started_ns", 0),
        (("State", "Health"), ["healthy"], "health", None),
        (("State", "Paused"), 1, "paused", False),
        (("Config", "Labels"), [], "labels", {}),
        (("Config", "Labels"), {"a": ["1"], "b": "2"}, "labels", {"a": "", "b": "2"}),
        (("Config", "Env"), ["A=1", 7, "B=2"], "env", {"A": "1", "B": "2"}),
        (("Config", "ExposedPorts"), {"http": {}, "80/TCP": {}}, "exposed", (Port(80),)),
        (("RestartCount",), "many", "restart_count", 0),
        (("RestartCount",), True, "restart_count", 0),
    ],
)
def test_what_is_odd_costs_itself_alone_and_is_told(
    path: tuple[str, ...], value: object, field: str, expected: object
) -> None:
    container = parse_inspect(with_value("bridge_published", path, value))

    assert getattr(container, field) == expected
    assert len(container.odd) == 1
    assert path[-1] in container.odd[0]
    assert "\n" not in container.odd[0]


@pytest.mark.parametrize(
    "odd",
    [
        {"HostIp": "0.0.0.0", "HostPort": "0"},
        {"HostIp": "0.0.0.0", "HostPort": "-1"},
        {"HostIp": "0.0.0.0", "HostPort": "99999"},
        {"HostIp": "0.0.0.0", "HostPort": None},
        {"HostIp": "everywhere", "HostPort": "8080"},
        {"HostIp": 7, "HostPort": "8080"},
        {},
        "x",
        None,
    ],
)
def test_an_odd_binding_beside_a_good_one_costs_itself_alone(odd: object) -> None:
    good = {"HostIp": "0.0.0.0", "HostPort": "8081"}
    ports = {"80/tcp": [odd, good], "81/tcp": [odd], "82/tcp": [], "83/tcp": None}

    container = parse_inspect(with_value("bridge_published", ("NetworkSettings", "Ports"), ports))

    assert container.bindings == (Binding(Port(80), "0.0.0.0", 8081),)
    assert container.unclear == (Port(81),)
    assert len(container.odd) == 2


def test_an_empty_host_port_is_that_of_a_routed_network_and_nothing_odd() -> None:
    routed = {"HostIp": "::", "HostPort": ""}
    good = {"HostIp": "0.0.0.0", "HostPort": "8081"}
    ports = {"80/tcp": [routed, good], "81/tcp": [routed]}

    container = parse_inspect(with_value("bridge_published", ("NetworkSettings", "Ports"), ports))

    assert container.bindings == (Binding(Port(80), "0.0.0.0", 8081),)
    assert container.unclear == (Port(81),)
    assert container.odd == ()


def test_what_engines_write_as_number_or_text_is_read_as_either() -> None:
    ports = {"80/tcp": [{"HostIp": "", "HostPort": 8081}]}
    document = with_value("stop_signal", ("NetworkSettings", "Ports"), ports)
    document["Config"] |= {"StopSignal": 3, "Labels": {"SERVICE_IGNORE": True, "SERVICE_PORT": 7}}

    container = parse_inspect(document)

    assert container.bindings == (Binding(Port(80), "", 8081),)
    assert container.stop_signal == 3
    assert container.labels == {"SERVICE_IGNORE": "true", "SERVICE_PORT": "7"}
    assert container.odd == ()


def with_value(name: str, path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a recorded container with another value at a path."""
    document = copy.deepcopy(recorded(name))
    part: Any = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return document


def test_the_subnets_of_bridges_are_read_and_odd_ones_left_out() -> None:
    document = [
        {"Driver": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}, {}, {"Subnet": 7}]}},
        {"Driver": "bridge", "IPAM": {"Config": [{"Subnet": "fd77::1/64"}, None]}},
        {"Driver": "macvlan", "IPAM": {"Config": [{"Subnet": "192.0.2.0/24"}]}},
        {"Driver": "bridge", "IPAM": None},
        {"Driver": ["bridge"]},
        "bridge",
    ]

    assert [str(subnet) for subnet in parse_bridges(document) or ()] == [
        "172.17.0.0/16",
        "fd77::/64",
    ]
    assert parse_bridges("odd") == ()


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:00.000000007Z", 7),
        ("1970-01-01T01:00:00.5+01:00", 500_000_000),
        ("1969-12-31T23:00:00-01:00", 0),
        ("0001-01-01T00:00:00Z", -62135596800 * 10**9),
    ],
)
def test_times_are_nanoseconds(text: str, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("15", 15),
        ("SIGTERM", 15),
        ("term", 15),
        ("SIGQUIT", 3),
        ("SIGRTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("RTMAX-1", 63),
        ("", None),
        ("0", None),
        ("999", None),
        ("SIGNOTHING", None),
        ("_DFL", None),
        ("9" * 5000, None),
    ],
)
def test_signals_by_name_and_number(text: str, number: int | None) -> None:
    assert parse_signal(text) == number
