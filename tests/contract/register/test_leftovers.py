"""Containers, networks and volumes that a killed run of tests left on the real engine."""

from pathlib import Path

import pytest

from tests.parts import leftovers
from tests.parts.engine import Engine, docker
from tests.parts.leftovers import LABEL

KILLED = "1-1-an_earlier_boot"


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The ledgers of a run that was killed."""
    (tmp_path / KILLED).touch()
    return tmp_path


def test_what_a_killed_run_left_on_the_engine_is_removed(killed: Path, engine: Engine) -> None:
    label = f"{LABEL}={KILLED}.session"
    network, volume = engine.name("left-network"), engine.name("left-volume")
    docker("network", "create", "--label", label, network)
    docker("volume", "create", "--label", label, volume)
    name = engine.name("left")
    flags = ("--name", name, "--label", label, "--net", network, "-v", f"{volume}:/left")
    docker("run", "-d", *flags, "tandem-whoami")
    own = engine.run("tandem-whoami")

    swept = leftovers.sweep(killed)

    assert swept == [f"container {name}", f"network {network}", f"volume {volume}"]
    assert own.state()["Running"]
