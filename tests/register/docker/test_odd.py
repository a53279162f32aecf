"""Whatever is odd in what an engine answers: it costs itself alone, and nothing raises."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.records.record import encode
from register.docker.event_stream import event_of
from register.docker.hints import DockerEvent, Hints
from register.docker.parse import parse_bridges, parse_inspect, parse_row, row_id
from register.offer.instances import Offer, OfferSettings, instances_of
from tests.parts.containers import INSPECT

GOOD: list[dict[str, Any]] = [
    json.loads(path.read_text())
    for folder in (INSPECT, INSPECT.parent / "podman")
    for path in sorted(folder.glob("*.json"))
]
SETTINGS = OfferSettings("10.0.0.1")
Path = tuple[str | int, ...]
# Without these nobody knows which container it is, or whether it runs.
NEEDED: set[Path] = {("Id",), ("State",), ("State", "Running")}

TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", "-1", "0", "99999", "8000", "\ud800", "a\nb", "é"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**100) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def paths_in(value: Any, before: Path = ()) -> list[Path]:
    """Return the way to each part of a document, however deep."""
    names = value.keys() if isinstance(value, dict) else range(len(value))
    found: list[Path] = []
    for name in names:
        found.append((*before, name))
        if isinstance(value[name], dict | list):
            found += paths_in(value[name], (*before, name))
    return found


def changed(document: dict[str, Any], path: Path, value: object, *, gone: bool) -> dict[str, Any]:
    made = copy.deepcopy(document)
    part: Any = made
    for name in path[:-1]:
        part = part[name]
    if gone:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return made


@st.composite
def mutations(draw: st.DrawFn) -> tuple[dict[str, Any], Path, dict[str, Any]]:
    """Return a good document, which part of it is odd, and the odd one."""
    good = draw(st.sampled_from(GOOD))
    path = draw(st.sampled_from(paths_in(good)))
    return good, path, changed(good, path, draw(VALUES), gone=draw(st.booleans()))


@settings(max_examples=1500, deadline=None)
@given(mutations())
def test_any_container_is_offered_or_has_a_reason(
    mutation: tuple[dict[str, Any], Path, dict[str, Any]],
) -> None:
    _, path, document = mutation

    try:
        container = parse_inspect(document)
    except Rejected as rejected:
        assert path in NEEDED
        assert "\n" not in str(rejected)
        return

    offer = instances_of(container, SETTINGS)
    assert offer.instances or offer.reasons
    assert all("\n" not in problem.text for problem in offer.reasons.values())
    assert bytes_of(offer) == bytes_of(instances_of(parse_inspect(document), SETTINGS))


SEVERAL: dict[str, Any] = {
    "Id": "a" * 64,
    "Name": "/several",
    "State": {"Running": True, "Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
    "Config": {
        "Image": "several:1",
        "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
        "Labels": {"SERVICE_80_WEIGHT": "7", "SERVICE_80_TAGS": "a,b"},
        "Env": ["SERVICE_80_BALANCE=leastconn", "HOME=/"],
    },
    "HostConfig": {"NetworkMode": "default"},
    "NetworkSettings": {
        "Ports": {
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
            "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8081"}],
        },
        "Networks": {"bridge": {"IPAddress": "172.17.0.2", "Gateway": "172.17.0.1"}},
    },
}
OF_PORT_80: list[Path] = [
    path for path in paths_in(SEVERAL) if any("80" in str(name) for name in path)
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(OF_PORT_80), VALUES)
@example(("NetworkSettings", "Ports", "80/tcp", 0, "HostPort"), "")
def test_what_is_odd_about_one_port_changes_nothing_of_another(path: Path, value: object) -> None:
    good = instances_of(parse_inspect(SEVERAL), SETTINGS)
    document = changed(SEVERAL, path, value, gone=False)

    offer = instances_of(parse_inspect(document), SETTINGS)

    if value or path[:2] != ("NetworkSettings", "Ports"):  # else it is not published at all
        assert bytes_of(offer)[81] == bytes_of(good)[81]
    assert 81 in bytes_of(offer)


def bytes_of(offer: Offer) -> Mapping[int, bytes]:
    return {instance.container_port: encode(instance) for instance in offer.instances}


ROW = {
    "Id": "a" * 64,
    "Names": ["/web"],
    "State": "running",
    "Status": "Up 2 hours (healthy)",
    "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
    "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths_in(ROW)), VALUES, st.booleans())
def test_any_row_of_a_list_is_read(path: Path, value: object, gone: bool) -> None:
    row = changed(ROW, path, value, gone=gone)

    assert parse_row(row).name
    if path == ("Id",):
        with pytest.raises(Rejected, match=r"\A[^\n]+\Z"):
            row_id(row)
    else:
        assert row_id(row) == "a" * 64


@given(VALUES)
def test_any_list_of_networks_is_read(value: object) -> None:
    config = {"Driver": "bridge", "IPAM": {"Config": [{"Subnet": "10.1.0.0/16"}]}}

    found = parse_bridges([value, config, {**config, "IPAM": value}])

    assert str((found or ())[-1]) == "10.1.0.0/16"


EVENT = {
    "Type": "container",
    "Action": "kill",
    "Actor": {"ID": "a" * 64, "Attributes": {"signal": "15", "name": "web"}},
    "time": 1_767_225_600,
    "timeNano": 1_767_225_600_000_000_000,
}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths_in(EVENT)), VALUES, st.booleans())
@example(("timeNano",), float("inf"), False)
@example(("timeNano",), 10**30, False)
def test_any_event_is_read_or_left_out(path: Path, value: object, gone: bool) -> None:
    line = json.dumps(changed(EVENT, path, value, gone=gone)).encode()

    event = event_of(line)

    assert event is None or isinstance(event, DockerEvent)
    if event is not None:
        assert 0 <= Hints().after(event).last_ns < 2**63
