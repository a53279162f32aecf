"""A socket that was deleted while it is mounted: its inode has no link any more."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.errors import Unavailable
from register.docker.connection import Connection
from register.docker.mount import DEAD, is_alone, is_dead


@pytest.fixture
def engine() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as one:
        yield one


@pytest.fixture
def at(engine: socket.socket, tmp_path: Path) -> Path:
    path = tmp_path / "docker.sock"
    engine.bind(str(path))
    return path


@pytest.fixture
def deleted(at: Path) -> Iterator[str]:
    """Another way to the socket, which outlives its name as a mount does (proc_pid_fd(5))."""
    descriptor = os.open(at, os.O_PATH)
    at.unlink()
    yield f"unix:///proc/self/fd/{descriptor}"
    os.close(descriptor)


def test_a_socket_without_a_name_is_dead(deleted: str) -> None:
    assert is_dead(deleted)


def test_a_socket_without_a_name_that_an_engine_listens_at_is_not(
    engine: socket.socket, deleted: str
) -> None:
    engine.listen()

    assert not is_dead(deleted)


def test_a_socket_that_nobody_listens_at_is_not(at: Path) -> None:
    assert not is_dead(f"unix://{at}")


@pytest.mark.parametrize("docker_host", ["unix:///no/such/docker.sock", "tcp://127.0.0.1:2375"])
def test_what_is_no_file_is_not(docker_host: str) -> None:
    assert not is_dead(docker_host)
    assert not is_alone(docker_host)


def test_a_socket_in_its_folder_is_not_mounted_alone(at: Path) -> None:
    assert not is_alone(f"unix://{at}")


def test_it_is_said_what_to_do(deleted: str) -> None:
    connection = Connection(deleted, {})

    with pytest.raises(Unavailable) as error, connection.translated("list containers", None):
        raise ConnectionRefusedError

    assert str(error.value) == f"list containers at {deleted}: {DEAD}"
