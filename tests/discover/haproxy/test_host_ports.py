"""Which ports HAProxy leaves to others of its host, and for how long."""

from dataclasses import replace
from pathlib import Path

import pytest

from catalog.records.host_ports import HostPort
from discover.haproxy.host_ports import RECALLED_S, HostPorts, Said
from discover.model.proxy_config import Bind, HostPolicy
from tests.parts.configs import AT_DOOR, POLICY

WEB = HostPort(8700, "", "web")
SILENCE = Said(None, None)
HERE = replace(POLICY, hosts=("127.0.0.1", "::1", "172.17.0.1"))
BUSY = Bind("127.0.0.1", 22)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def hosts(host_ports: HostPorts, said: Said, policy: HostPolicy = HERE) -> list[str]:
    return [bind.host for bind in host_ports.yielded(said, policy)]


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("", ["127.0.0.1", "::1", "172.17.0.1"]),
        ("0.0.0.0", ["127.0.0.1", "172.17.0.1"]),
        ("::", ["::1"]),
        ("172.17.0.1", ["172.17.0.1"]),
        ("192.0.2.1", []),
    ],
)
def test_haproxy_leaves_the_addresses_that_meet(address: str, left: list[str]) -> None:
    said = Said((HostPort(8700, address, "web"),), 1)

    assert hosts(HostPorts(), said) == left
    everywhere = replace(POLICY, hosts=("*",))
    assert hosts(HostPorts(), said, everywhere) == ([] if address == "::" else ["*"])


@pytest.mark.parametrize("port", [1936, 80])
def test_what_the_operator_set_stays(port: int) -> None:
    door = AT_DOOR.process.door
    assert door
    own = replace(door, binds=(Bind("127.0.0.1", 80),))
    policy = replace(AT_DOOR, process=replace(AT_DOOR.process, door=own))

    assert "127.0.0.1" not in hosts(HostPorts(), Said((HostPort(port, "", "web"),), 1), policy)


def test_silence_changes_nothing(tmp_path: Path) -> None:
    clock = Clock()
    host_ports = HostPorts(tmp_path / "host-ports", clock)
    host_ports.yielded(Said((WEB,), 1), HERE)
    clock.now_s += 1000

    assert hosts(host_ports, SILENCE) == list(HERE.hosts)
    assert hosts(HostPorts(tmp_path / "host-ports", clock), SILENCE) == list(HERE.hosts)


def test_a_registrar_that_takes_it_back_is_believed_at_once() -> None:
    host_ports = HostPorts()
    host_ports.yielded(Said((WEB,), 1), HERE)

    assert hosts(host_ports, Said(None, 1)) == []


def test_another_registrar_has_its_time_to_speak() -> None:
    clock = Clock()
    host_ports = HostPorts(clock_s=clock)
    host_ports.yielded(Said((WEB,), 1), HERE)

    assert hosts(host_ports, Said(None, 2)) == list(HERE.hosts)
    clock.now_s += RECALLED_S - 0.1
    assert hosts(host_ports, Said(None, 2)) == list(HERE.hosts)
    clock.now_s += 0.1
    assert hosts(host_ports, Said(None, 2)) == []


def test_what_another_program_held_is_left_to_it_after_a_start(tmp_path: Path) -> None:
    clock = Clock()
    HostPorts(tmp_path / "host-ports", clock).note({BUSY: "in use"})
    host_ports = HostPorts(tmp_path / "host-ports", clock)

    assert host_ports.recalled({BUSY, Bind("127.0.0.1", 80)}).keys() == {BUSY}
    clock.now_s += RECALLED_S
    assert host_ports.recalled({BUSY}) == {}


@pytest.mark.parametrize("content", ["", "[]", '{"containers": "x", "programs": []}', "\udcff"])
def test_a_broken_file_is_no_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "host-ports").write_text(content, errors="surrogateescape")

    assert hosts(HostPorts(tmp_path / "host-ports"), SILENCE) == []
