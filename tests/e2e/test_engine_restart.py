"""The engine restarts under README's docker-register: its socket is another one then. Nothing is
withdrawn, and new containers are published within seconds.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from lab.engine import Engine
from tests.parts.engine import docker
from tests.parts.leftovers import note, scratch_folder
from tests.parts.own_engine import OwnEngine
from tests.parts.wait import wait_for

FOUND_S = 10.0
TTL_S = 15.0
POLICY = "--restart always "
LIVE_RESTORE = pytest.mark.parametrize("live", [True, False], ids=["live-restore", "plain"])
END = pytest.mark.parametrize("end", [Engine.stop, Engine.kill], ids=["stopped", "killed"])


@pytest.fixture(scope="module")
def standing() -> Iterator[OwnEngine]:
    docker("version")  # its images are this engine's
    with scratch_folder("own") as parent:
        note("fleet", parent / "f")
        with OwnEngine(parent / "f") as one:
            yield one


@pytest.fixture
def host(standing: OwnEngine) -> Iterator[OwnEngine]:
    yield standing
    standing.engine.start()
    standing.engine.wait()
    standing.engine.set_live_restore(False)
    standing.clear()


@LIVE_RESTORE
@END
def test_an_engine_that_restarts_is_found_again(
    host: OwnEngine, end: Callable[[Engine], None], live: bool
) -> None:
    host.engine.set_live_restore(live)
    host.readme("docker-register")
    before = {host.run("--restart", "always") for _ in range(2)}
    revision = host.revision()

    host.restart(end)
    back_s = time.monotonic()
    host.run()

    assert time.monotonic() - back_s <= FOUND_S
    if live:
        assert host.deleted_since(revision) == []
    wait_for(lambda: before <= host.published(), FOUND_S, "what came back with the engine is there")


def test_an_engine_that_is_away_for_longer_than_a_lease_is_found_again(host: OwnEngine) -> None:
    host.engine.set_live_restore(True)
    host.readme("docker-register")
    before = host.run()
    revision = host.revision()

    ended_s = time.monotonic()
    host.restart(
        Engine.stop,
        away=lambda: wait_for(
            lambda: time.monotonic() - ended_s > TTL_S + 5, TTL_S + 10, "a lease would be over"
        ),
    )
    back_s = time.monotonic()
    host.run()

    assert time.monotonic() - back_s <= FOUND_S
    assert host.deleted_since(revision) == []
    assert before in host.published()


def test_without_a_restart_policy_it_stays_and_says_what_to_do(host: OwnEngine) -> None:
    host.engine.set_live_restore(True)
    register = host.readme("docker-register", without=POLICY)
    before = host.run()
    assert "no restart policy" in host.engine.docker("logs", register)

    host.restart(Engine.stop)
    wait_for(
        lambda: "start this container again" in ready(host, register), 20, "it says what to do"
    )

    assert before in host.published()
    assert host.engine.inspect(register)[0]["State"]["Running"]


def ready(host: OwnEngine, register: str) -> str:
    return host.engine.docker("exec", register, "ready", check=False)


def test_with_the_sockets_folder_mounted_it_goes_on(host: OwnEngine) -> None:
    host.engine.set_live_restore(True)
    folder = f"-v {host.engine.folder}:/host/run -e DOCKER_HOST=unix:///host/run/docker.sock"
    register = host.readme("docker-register", without=POLICY, mount=folder)
    before = host.run()
    revision = host.revision()

    host.restart(Engine.stop)
    back_s = time.monotonic()
    host.run()

    assert time.monotonic() - back_s <= FOUND_S
    assert host.deleted_since(revision) == []
    assert before in host.published()
    assert host.engine.inspect(register)[0]["RestartCount"] == 0
