"""Row 33: the wall clock jumps an hour forward and back under docker-register, whose clock
libfaketime is, and under the engine, whose events a proxy changes.
"""

import time
from functools import partial
from pathlib import Path

import pytest

from register.docker.hints import LAG_S
from tests.parts.docker_proxy import docker_proxy
from tests.parts.engine import Container, Engine
from tests.parts.etcd import Etcd
from tests.parts.register import Catalog, Register
from tests.parts.served import serve
from tests.parts.wait import assert_holds, wait_for

TTL_S = 5
HOUR_S = 3600
LINGER_S = "20"  # longer than the wait for `draining`


def test_a_clock_that_jumps_loses_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Etcd(tmp_path / "etcd") as etcd, Engine() as engine:
        register = Register(tmp_path, etcd, TTL=str(TTL_S))
        with monkeypatch.context() as only_here:
            for name, text in environment.items():
                only_here.setenv(name, text)
            register.start(wait=False)
        catalog = Catalog(etcd)
        try:
            wait_for(register.is_ready, 30, "ready")
            serve(engine, "stays-33")
            stays = partial(catalog.instance, "stays-33")
            wait_for(stays, 20, "published")
            leases = etcd.ctl("lease", "list")
            for number, jump in enumerate(("+3600", "-3600", "+0")):
                clock.write_text(f"{jump}\n")
                one = serve(engine, f"late-33-{number}")
                wait_for(lambda n=number: catalog.instance(f"late-33-{n}"), 20, "published")  # type: ignore[misc]
                assert_holds(stays, 1.5 * TTL_S, "published all the while")
                one.do("rm", "-f")
                wait_for(lambda n=number: not catalog.instance(f"late-33-{n}"), 20, "gone")  # type: ignore[misc]
            assert etcd.ctl("lease", "list") == leases
            hours = {line.partition("T")[2][:2] for line in register.log.splitlines()}
            assert len(hours) >= 3, "the clock did not jump"
        finally:
            catalog.close()
            register.end()


# A list would show the end, but not the stop signal; and there is none for an hour.
def test_a_stop_signal_is_heard_after_the_engines_clock_was_put_back(
    tmp_path: Path, etcd: Etcd, catalog: Catalog, engine: Engine, service: str
) -> None:
    with (
        docker_proxy() as proxy,
        Register(tmp_path, etcd, DOCKER_HOST=proxy.docker_host, RESYNC=str(HOUR_S)),
    ):
        stopped = serve(engine, service, linger=LINGER_S)
        wait_until_there(catalog, service)

        proxy.put_back(HOUR_S)
        told_to_stop(catalog, stopped, service)


def test_a_stop_signal_is_heard_by_a_registrar_that_began_after_the_clock_was_put_back(
    tmp_path: Path, etcd: Etcd, catalog: Catalog, engine: Engine, service: str
) -> None:
    stopped = serve(engine, service, linger=LINGER_S)
    with docker_proxy() as proxy:
        proxy.put_back(HOUR_S)
        with Register(tmp_path, etcd, DOCKER_HOST=proxy.docker_host, RESYNC=str(HOUR_S)):
            wait_for(lambda: catalog.state(service) == "ready", 20, "published")
            told_to_stop(catalog, stopped, service)


def test_a_stop_signal_that_came_while_events_were_cut_is_heard_after_the_clock_was_put_back(
    tmp_path: Path, etcd: Etcd, catalog: Catalog, engine: Engine, service: str
) -> None:
    with (
        docker_proxy() as proxy,
        Register(tmp_path, etcd, DOCKER_HOST=proxy.docker_host, RESYNC=str(HOUR_S)),
    ):
        serve(engine, f"{service}-other").do("kill", "-s", "HUP")
        stopped = serve(engine, service, linger=LINGER_S)
        wait_until_there(catalog, service)

        proxy.put_back(HOUR_S)
        proxy.cut()
        told_to_stop(catalog, stopped, service)


def wait_until_there(catalog: Catalog, service: str) -> None:
    wait_for(lambda: catalog.state(service) == "ready", 20, "published")
    seen_s = time.monotonic()
    wait_for(lambda: time.monotonic() - seen_s > LAG_S, 5, "it was there for a while")


def told_to_stop(catalog: Catalog, stopped: Container, service: str) -> None:
    stopped.do("kill", "-s", "TERM")
    wait_for(lambda: catalog.state(service) == "draining", 15, "draining")
    stopped.do("kill")
    wait_for(lambda: catalog.state(service) is None, 10, "gone")
