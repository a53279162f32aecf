"""Planned work: a host is taken out of service and comes back, by command and by signal, whatever
ends in between.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.etcd import Etcd
from tests.parts.register import PREFIX, Catalog, Changes, Register
from tests.parts.scripted_engine import answers_of, scripted_engine
from tests.parts.wait import wait_for

NAMES = tuple(f"scripted-{number}" for number in (1, 2, 3))
MARK = f"{PREFIX}/v1/hosts/h1/drained"


@pytest.fixture
def register(etcd: Etcd, catalog: Catalog, tmp_path: Path) -> Iterator[Register]:
    """A registrar with three instances; the engine is scripted, as which containers there are does
    not matter here.
    """
    answers = answers_of(3) | {"/info": (200, b'{"ID": "E1", "Name": "h1"}')}
    with (
        scripted_engine(answers) as docker_host,
        Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, DRAIN_WAIT="2") as one,
    ):
        wait_for(lambda: states(catalog) == {"ready"}, 15, "published")
        yield one


def states(catalog: Catalog) -> set[str | None]:
    return {catalog.state(name) for name in NAMES}


def command(register: Register, *flags: str) -> subprocess.CompletedProcess[str]:
    arguments = [
        w
        for name, text in register.settings.items()
        for w in (f"--{name.lower().replace('_', '-')}", text)
    ]
    words = [sys.executable, "-m", "register", *arguments, *flags]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_a_drained_host_stays_out_until_it_is_told_otherwise(
    etcd: Etcd, catalog: Catalog, register: Register
) -> None:
    with Changes(catalog) as changes:
        began = time.monotonic()
        done = command(register, "--drain")

        assert done.returncode == 0, done.stderr
        assert 2 <= time.monotonic() - began < 12
        assert list(catalog.entries()) == [MARK]
        assert etcd.ctl("lease", "list").count("\n") == 1, "a lease is left"
        assert [changes.of(name, catalog) for name in NAMES] == [["put", "delete"]] * 3

        wait_for(lambda: register.explain()["drained"], 10, "the registrar has seen it")
        told = register.explain()
        assert {told["refused"][f"{name}:80"]["code"] for name in NAMES} == {"HOST_DRAINED"}
        assert told["published"] == []
        assert "HOST_DRAINED" in register.get("/readyz")[1]
        assert "HOST_DRAINED" in register.log

        register.end(signal.SIGKILL)
        register.start(wait=False)
        wait_for(
            lambda: register.log.count("HOST_DRAINED") == 2, 15, "its next life has seen it too"
        )
        assert [changes.of(name, catalog) for name in NAMES] == [["put", "delete"]] * 3

    assert command(register, "--undrain").returncode == 0
    wait_for(lambda: states(catalog) == {"ready"}, 10, "published again")
    wait_for(
        lambda: "owner:" not in register.get("/readyz")[1],
        10,
        "nothing is said against it any more",
    )
    assert not register.explain()["drained"]


def test_signals_do_the_same(catalog: Catalog, register: Register) -> None:
    register.send(signal.SIGUSR1)
    wait_for(lambda: states(catalog) == {"draining"}, 2, "draining at once")
    wait_for(lambda: list(catalog.entries()) == [MARK], 10, "gone")

    register.send(signal.SIGUSR2)

    wait_for(lambda: states(catalog) == {"ready"}, 5, "back")
    assert MARK not in catalog.entries()


def test_what_is_asked_during_a_drain_is_done_after_it(
    catalog: Catalog, register: Register
) -> None:
    register.send(signal.SIGUSR1)
    wait_for(lambda: states(catalog) == {"draining"}, 15, "draining")

    register.send(signal.SIGUSR2)

    wait_for(lambda: states(catalog) == {"ready"}, 30, "back")
    assert MARK not in catalog.entries()


def test_a_host_that_nobody_knows_is_not_drained(catalog: Catalog, register: Register) -> None:
    register.settings["HOST_ID"] = "typo"

    done = command(register, "--drain")

    assert done.returncode == 1
    assert "HOST_ID typo has no registrar" in done.stderr
    assert not [key for key in catalog.entries() if "/typo/" in key]


def test_this_machine_is_drained_before_its_first_registrar(
    catalog: Catalog, register: Register
) -> None:
    del register.settings["HOST_ID"]

    assert command(register, "--drain").returncode == 0

    assert [key for key in catalog.entries() if key.endswith("/drained") and key != MARK]


def test_a_drain_that_was_killed_is_ended_by_the_registrar(
    catalog: Catalog, register: Register
) -> None:
    register.settings["DRAIN_WAIT"] = "600"
    arguments = [
        w
        for name, text in register.settings.items()
        for w in (f"--{name.lower().replace('_', '-')}", text)
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "register", *arguments, "--drain"], stderr=subprocess.DEVNULL
    )
    wait_for(lambda: states(catalog) == {"draining"}, 15, "draining")

    process.kill()
    process.wait(5)

    wait_for(lambda: list(catalog.entries()) == [MARK], 20, "gone")
    wait_for(lambda: register.log.count("drained host=h1 instances=3") == 1, 5, "it says so")


def test_a_host_whose_registrar_is_away_is_drained_too(
    catalog: Catalog, register: Register
) -> None:
    register.end(signal.SIGKILL)

    assert command(register, "--drain").returncode == 0

    assert list(catalog.entries()) == [MARK]


def test_a_paused_registrar_that_wakes_after_a_drain_writes_nothing(
    catalog: Catalog, register: Register
) -> None:
    register.send(signal.SIGSTOP)
    assert command(register, "--drain").returncode == 0
    with Changes(catalog) as changes:
        register.send(signal.SIGCONT)
        wait_for(lambda: register.explain()["drained"], 15, "it has seen the mark")

        assert [changes.of(name, catalog) for name in NAMES] == [[]] * 3
    assert list(catalog.entries()) == [MARK]


def test_a_host_id_of_another_machine_is_not_drained(catalog: Catalog, register: Register) -> None:
    before = catalog.entries()
    with scripted_engine({"/info": (200, b'{"ID": "E2", "Name": "h1"}')}) as docker_host:
        register.settings["DOCKER_HOST"] = docker_host
        done = command(register, "--drain")

    assert done.returncode == 1
    assert "another machine uses this HOST_ID" in done.stderr
    assert catalog.entries() == before


def test_the_two_commands_exclude_each_other(register: Register) -> None:
    done = command(register, "--drain", "--undrain")

    assert done.returncode == 2
    assert "not allowed with" in done.stderr
