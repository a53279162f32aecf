"""Who and where this host is."""

import os
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from catalog.access import Member
from catalog.errors import Unavailable
from register.docker.container import Neighbour
from register.docker.source import Engine
from register.host.identity import (
    Surroundings,
    host_id,
    host_ip,
    own_container,
    process_alive,
    read_surroundings,
    route_source,
    this_life,
    warning_of_bridge,
)
from register.records.host_state import Host
from sidecar.options import WrongSettings

ID = "ab" * 32
IN_DOCKER = f"""\
500 400 0:50 / / rw,relatime - overlay overlay rw
501 500 254:0 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
502 500 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw
503 500 254:0 /var/lib/docker/containers/{ID}/hosts /etc/hosts rw - ext4 /dev/vda rw
"""
MACHINE_ID_MOUNT = "504 500 254:0 /etc/machine-id /etc/machine-id ro - ext4 /dev/vda rw\n"
ON_HOST = f"""\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
90 27 0:60 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw
"""
OUTSIDE = Surroundings(None, False, None, "h1")
INSIDE = Surroundings(ID, True, None, "abababababab")


def test_a_containers_own_id_is_told_from_its_mounts() -> None:
    own_file = f"/x/overlay-containers/{ID}/userdata/hostname"
    podman = f"1 2 0:1 {own_file} /etc/hostname rw - tmpfs t rw"

    assert own_container(IN_DOCKER) == ID
    assert own_container(podman) == ID
    assert own_container(ON_HOST) is None
    assert own_container("") is None


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (ON_HOST, (None, False, "m1")),
        (IN_DOCKER, (ID, True, None)),  # an image's machine id is the same everywhere
        (IN_DOCKER + MACHINE_ID_MOUNT, (ID, True, "m1")),
    ],
)
def test_what_a_process_sees_of_itself(
    tmp_path: Path, mounts: str, expected: tuple[str | None, bool, str | None]
) -> None:
    machine_id = tmp_path / "machine-id"
    machine_id.write_text("m1\n")
    (tmp_path / "self").mkdir()
    mounted = mounts.replace(" /etc/machine-id ro", f" {machine_id} ro")
    (tmp_path / "self/mountinfo").write_text(mounted)

    seen = read_surroundings(tmp_path, machine_id)

    assert (seen.container, seen.is_contained, seen.machine_id) == expected


@pytest.mark.parametrize(
    ("explicit", "surroundings", "engine", "expected"),
    [
        ("mine", replace(OUTSIDE, machine_id="m1"), Engine("E", "n"), "mine"),
        (None, replace(OUTSIDE, machine_id="m1"), Engine("E", "n"), "m1"),
        (None, INSIDE, Engine("E", "n"), "n"),
        (None, OUTSIDE, Engine(None, None), "h1"),
    ],
)
def test_the_hosts_id(
    explicit: str | None, surroundings: Surroundings, engine: Engine, expected: str
) -> None:
    assert host_id(explicit, surroundings, engine) == expected


def test_a_containers_host_name_is_no_id() -> None:
    with pytest.raises(WrongSettings, match="set HOST_ID"):
        host_id(None, INSIDE, Engine(None, None))


def neighbour() -> Neighbour:
    return Neighbour("web-1", ("172.17.0.2",))


def test_the_address_is_the_one_given_or_the_routes() -> None:
    assert host_ip("10.0.0.9", "10.0.0.1", []) == "10.0.0.9"
    assert host_ip(None, "10.0.0.1", [neighbour()]) == "10.0.0.1"
    assert host_ip("127.0.0.1", "127.0.0.1", []) == "127.0.0.1"


def test_a_containers_address_is_not_announced_unasked() -> None:
    with pytest.raises(
        WrongSettings, match=r"172\.17\.0\.2, which is container web-1; set HOST_IP"
    ):
        host_ip(None, "172.17.0.2", [neighbour()])


def test_loopback_is_not_announced_to_other_machines() -> None:
    with pytest.raises(WrongSettings, match="is loopback, but etcd is on another machine"):
        host_ip("127.0.0.1", "10.0.0.1", [])


def test_the_route_to_etcd_begins_somewhere() -> None:
    assert route_source([Member("127.0.0.1")]) == "127.0.0.1"
    assert route_source([Member("255.255.255.255"), Member("127.0.0.1")]) == "127.0.0.1"
    with pytest.raises(Unavailable, match="no route to etcd"):
        route_source([Member("255.255.255.255")])


def test_a_process_is_told_from_another_of_the_same_number() -> None:
    mine = this_life("me", "now", Host("h1", "10.0.0.1", None), OUTSIDE)

    assert mine.pid == os.getpid()
    assert mine.started_ticks > 0
    assert process_alive(mine, mine) is True
    assert process_alive(replace(mine, started_ticks=mine.started_ticks - 1), mine) is False
    assert process_alive(replace(mine, pid=2**22 - 1), mine) is False
    assert process_alive(replace(mine, pid_namespace="pid:[1]"), mine) is None
    assert process_alive(replace(mine, boot_id="x"), mine) is None


def test_a_host_ip_on_a_bridge_is_warned_of() -> None:
    bridges = (ip_network("172.17.0.0/16"), ip_network("fd77::/64"))

    assert "set HOST_IP" in str(warning_of_bridge("172.17.0.1", bridges))
    assert warning_of_bridge("192.0.2.2", bridges) is None
    assert warning_of_bridge("172.17.0.1", None) is None
