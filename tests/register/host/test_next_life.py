"""When docker-register ends so that its container is started again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from register.host.next_life import PATIENCE_S, DeadMount
from register.records.host_state import HostState


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[str]:
    at = tmp_path / "docker.sock"
    at.touch()
    descriptor = os.open(at, os.O_PATH)
    at.unlink()
    yield f"unix:///proc/self/fd/{descriptor}"
    os.close(descriptor)


@pytest.mark.parametrize(("comes_back", "is_final"), [(True, True), (False, False), (None, False)])
def test_a_dead_mount_is_final_where_a_restart_policy_is_known(
    dead: str, comes_back: bool | None, is_final: bool
) -> None:
    mount = DeadMount(dead, HostState(comes_back=comes_back))

    assert not mount.is_final(100.0)
    assert not mount.is_final(100.0 + PATIENCE_S - 0.1)
    assert mount.is_final(100.0 + PATIENCE_S) is is_final


def test_an_engine_that_is_merely_away_is_waited_for(tmp_path: Path) -> None:
    mount = DeadMount(f"unix://{tmp_path}/docker.sock", HostState(comes_back=True))

    assert not mount.is_final(100.0)
    assert not mount.is_final(1000.0)
