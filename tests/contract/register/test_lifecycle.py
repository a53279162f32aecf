"""docker-register with the real engine and a real etcd: what stands in the catalog after everything
that happens.
"""

import signal
import threading
import time
from pathlib import Path

import pytest

from catalog.records.record import Instance
from tests.parts.docker_proxy import docker_proxy
from tests.parts.engine import Engine, docker
from tests.parts.etcd import Etcd
from tests.parts.register import PREFIX, Catalog, Changes, Register
from tests.parts.scripted_engine import LIST, answers_of, scripted_engine
from tests.parts.served import serve
from tests.parts.wait import wait_for


def name_of(record: Instance | None) -> str | None:
    return record.container_name if record else None


def test_a_container_is_published_drained_and_withdrawn(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd):
        one = serve(engine, service, linger="2")
        found = wait_for(lambda: catalog.instance(service), 10, "published")
        stopping = threading.Thread(target=one.do, args=("stop", "-t", "8"))
        stopping.start()

        wait_for(
            lambda: catalog.state(service) == "draining",
            1.5,
            "draining while its program still ends",
        )
        wait_for(lambda: catalog.instance(service) is None, 10, "withdrawn")
        stopping.join()

    assert found is not None
    assert found.address == "127.0.0.1"
    assert (found.container, found.container_port, found.service_port, found.state) == (
        one.id,
        8000,
        8000,
        "ready",
    )


def test_a_program_that_listens_late_is_not_published_before(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as register:
        began = time.monotonic()
        one = serve(engine, service, delay="3")

        refused = wait_for(
            lambda: register.explain()["refused"].get(f"{one.name}:8000"), 3, "a reason"
        )
        wait_for(lambda: catalog.instance(service), 10, "published")

        assert refused["code"] == "NOT_LISTENING"
        assert time.monotonic() - began >= 3


def test_pause_rename_and_health(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    health = (
        "--health-cmd",
        "test ! -e /tmp/sick",
        "--health-interval",
        "1s",
        "--health-retries",
        "1",
    )
    with Register(tmp_path, etcd) as register:
        one = serve(engine, service, *health)
        wait_for(lambda: catalog.state(service) == "ready", 15, "healthy, so published")
        one.do("pause")
        wait_for(lambda: catalog.state(service) == "draining", 5, "paused, so draining")
        one.do("unpause")
        wait_for(lambda: catalog.state(service) == "ready", 15, "ready again")
        one.exec("touch", "/tmp/sick")
        wait_for(lambda: catalog.state(service) == "draining", 15, "unhealthy, so draining")
        docker("rename", one.id, f"{one.name}-new")
        wait_for(lambda: name_of(catalog.instance(service)) == f"{one.name}-new", 5, "renamed")

        assert register.log.count(f"published service={service} ") == 2


def test_a_restart_moves_the_port_without_a_second_key(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd):
        one = serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")

        for _ in range(3):
            one.do("restart", "-t", "2")
            port = one.host_port(8000)
            wait_for(lambda port=port: catalog.port(service) == port, 10, "the new port")  # type: ignore[misc]

        assert sum(f"/{service}/" in key for key in catalog.entries()) == 1


def test_a_registrar_that_is_killed_and_started_again_changes_nothing(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as register:
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        with Changes(catalog) as changes:
            for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
                began = time.monotonic()
                status = register.end(number)
                assert time.monotonic() - began < 5
                assert status == (0 if number == signal.SIGTERM else -number)
                register.start()
                wait_for(lambda: register.explain()["published"], 10, "adopted")

            assert changes.of(service, catalog) == []


def test_another_ttl_moves_everything_under_a_new_lease_without_a_delete(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as register:
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        before = register.explain()["lease"]
        with Changes(catalog) as changes:
            register.end()
            register.settings["TTL"] = "9"
            register.start()
            wait_for(
                lambda: etcd.ctl("lease", "list").count("\n") == 2, 15, "the old lease is gone"
            )

            assert changes.of(service, catalog) == ["put"]
        assert register.explain()["lease"] != before


def test_what_is_gone_while_nobody_watched_is_withdrawn(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as register:
        one = serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        register.end(signal.SIGKILL)
        one.do("rm", "-f")

        register.start()

        wait_for(
            lambda: catalog.instance(service) is None,
            4,
            "withdrawn, and not by the end of the lease",
        )


def test_idle_writes_nothing(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd, RESYNC="1") as register:
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        # Refusals are told once those of its first moments have settled.
        said = f"{PREFIX}/said/h1/refused"
        wait_for(lambda: said in etcd.ctl("get", said, "--keys-only"), 10, "refusals are told")

        def is_idle() -> bool:
            before, count = etcd.revision(), register.lists()
            wait_for(lambda: register.lists() >= count + 4, 15, "four more lists")
            return etcd.revision() == before

        wait_for(is_idle, 20, "four lists without a write")


def test_what_is_deleted_behind_its_back_comes_back(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd, RESYNC="1"):
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")

        etcd.ctl("del", "--prefix", f"{PREFIX}/v1/hosts/h1/instances/")
        wait_for(lambda: catalog.instance(service), 10, "published again")
        etcd.ctl("del", "--prefix", f"{PREFIX}/")
        wait_for(lambda: catalog.instance(service), 10, "published again, with the owner")

        assert f"{PREFIX}/v1/hosts/h1/owner" in catalog.entries()


def test_an_etcd_that_was_wiped_is_filled_again(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as register:
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        etcd.kill()
        wait_for(lambda: register.get("/readyz")[0] == 503, 15, "not ready")
        etcd.wipe()
        etcd.start()

        wait_for(lambda: _or_none(catalog, service), 15, "published again")
        wait_for(register.is_ready, 10, "ready again")


def _or_none(catalog: Catalog, service: str) -> object:
    try:
        return catalog.instance(service)
    except Exception as error:
        raise AssertionError(str(error)) from error


def test_a_second_registrar_of_one_host_waits_and_takes_over(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as first, Register(tmp_path, etcd, wait=False) as second:
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        wait_for(
            lambda: "waiting until it stops" in second.log,
            10,
            "the second says that it waits",
        )
        with Changes(catalog) as changes:
            first.end(signal.SIGKILL)
            wait_for(second.is_ready, 10, "the second has taken over")

            assert changes.of(service, catalog) == []


def test_a_paused_registrar_that_lost_its_host_writes_nothing_stale(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as first:
        one = serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        first.send(signal.SIGSTOP)
        wait_for(lambda: not catalog.entries(), 20, "the lease has ended")
        with Register(tmp_path, etcd):
            wait_for(lambda: catalog.instance(service), 10, "published by the other")
            one.do("rm", "-f")
            wait_for(lambda: catalog.instance(service) is None, 10, "withdrawn by the other")
            with Changes(catalog) as changes:
                first.send(signal.SIGCONT)
                wait_for(
                    lambda: "waiting until it stops" in first.log,
                    15,
                    "the first has seen the other",
                )

                assert changes.of(service, catalog) == []


def test_a_stream_that_is_cut_and_an_engine_that_is_away(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with (
        docker_proxy() as proxy,
        Register(tmp_path, etcd, DOCKER_HOST=proxy.docker_host) as register,
    ):
        proxy.cut()
        serve(engine, service)
        wait_for(lambda: catalog.instance(service), 10, "published")
        with Changes(catalog) as changes:
            proxy.close()
            away = time.monotonic()
            wait_for(lambda: register.get("/readyz")[0] == 503, 15, "not ready")
            wait_for(
                lambda: time.monotonic() - away > 7,
                8,
                "longer than the lease would live unrefreshed",
            )

            assert changes.of(service, catalog) == []
        assert catalog.state(service) == "ready"
        assert all(line.startswith("GET ") for line in proxy.requests)


def test_one_empty_list_removes_nothing_and_a_lasting_one_does(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    answers = answers_of(5)
    full = answers[LIST]
    with scripted_engine(answers) as docker_host:
        register = Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, RESYNC="1")
        with register, Changes(catalog) as changes:
            wait_for(lambda: catalog.instance("scripted-5"), 15, "published")
            answers[LIST] = (200, b"[]")
            wait_for(lambda: "missing from one list" in register.log, 10, "it noticed")
            answers[LIST] = full
            count = register.lists()
            wait_for(lambda: register.lists() > count + 2, 10, "it listed again")
            assert changes.of("scripted-1", catalog) == ["put"]

            began = time.monotonic()
            answers[LIST] = (200, b"[]")
            wait_for(lambda: catalog.instance("scripted-1") is None, 15, "removed at last")

            assert time.monotonic() - began >= 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TTL": "1", "REGISTER": "all"}, ["--ttl: '1' is not", "--register: 'all' is not"]),
        (
            {"HOST_IP": "127.0.0.1", "ETCD_HOST": "192.0.2.77:2379"},
            ["HOST_IP: 127.0.0.1 is loopback, but etcd is on"],
        ),
    ],
)
def test_wrong_settings_end_it_with_status_2(
    etcd: Etcd, tmp_path: Path, settings: dict[str, str], said: list[str]
) -> None:
    with Register(tmp_path, etcd, wait=False, **settings) as register:
        assert register.exit_status() == 2

    assert all(text in register.log for text in said)
