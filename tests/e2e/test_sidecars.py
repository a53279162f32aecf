"""Either sidecar, HAProxy or etcd ends in every way; callers notice nothing and nothing is
removed.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from tests.parts.engine import REGISTER_METRICS, Container, Engine, Pair, docker, fetch
from tests.parts.pair_service import Calls, Service
from tests.parts.wait import wait_for


def revisions(pair: Pair, service: Service) -> str:
    """Return the instance keys of a service with the revisions at which they were made and last
    changed.
    """
    found = pair.etcdctl("get", "--prefix", "/services/", "-w", "fields").splitlines()
    rows = [
        line for line in found if line.startswith(('"Key"', '"CreateRevision"', '"ModRevision"'))
    ]
    entries = ["".join(rows[i : i + 3]) for i in range(0, len(rows), 3)]
    return "\n".join(sorted(entry for entry in entries if f"/{service.name}/" in entry))


def kill(container: Container, word: str, number: int = signal.SIGKILL) -> list[int]:
    """Send a signal to the processes in a container whose command line has the word."""
    pids = container.pids(word)
    assert pids, f"no {word} runs in {container.name}"
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return pids


def newer(container: Container, word: str, old: list[int]) -> set[int]:
    """Return the processes with the word that are none of the old ones."""
    return set(container.pids(word)) - set(old)


def is_healthy(container: Container) -> bool:
    return bool(container.state()["Health"]["Status"] == "healthy")


REGISTER, DISCOVER, MASTER = "bin/docker-register", "bin/docker-discover", "haproxy -W"


def test_a_killed_registrar_is_back_and_removes_nothing(pair: Pair, service: Service) -> None:
    one, two = service.run(), service.run()
    service.wait_answered_by(one, two)
    before = revisions(pair, service)

    with Calls(service) as calls:
        for _ in range(3):
            old = kill(pair.register, REGISTER)
            wait_for(partial(newer, pair.register, REGISTER, old), 15, "a new process")
            pair.wait_until_ready()
        calls.wait_for_more()

    assert calls.failures == []
    assert revisions(pair, service) == before


def test_a_registrar_that_is_replaced_adopts_what_is_there(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    before = revisions(pair, service)

    with Calls(service) as calls:
        pair.register.do("stop")
        assert pair.register.state()["ExitCode"] == 0
        assert revisions(pair, service) == before
        pair.register.do("rm", "-v")
        pair.register = pair.run(
            "docker-register", "-v", "/var/run/docker.sock:/var/run/docker.sock"
        )
        pair.wait_until_ready()
        two = service.run()
        service.wait_answered_by(one, two)

    assert calls.failures == []
    assert before in revisions(pair, service)


def test_what_died_while_nobody_looked_is_withdrawn(pair: Pair, service: Service) -> None:
    one, two = service.run(), service.run()
    service.wait_answered_by(one, two)
    pair.register.do("stop")

    one.do("kill")
    pair.register.do("start")

    service.wait_keys(two)
    service.wait_answered_by(two)


def test_a_killed_discover_leaves_haproxy_serving_and_finds_it_again(
    pair: Pair, service: Service
) -> None:
    one = service.run()
    service.wait_answered_by(one)
    master = pair.discover.pids(MASTER)[0]

    with Calls(service) as calls:
        for _ in range(3):
            old = kill(pair.discover, DISCOVER)
            wait_for(partial(newer, pair.discover, DISCOVER, old), 15, "a new process")
        two = service.run()
        service.wait_answered_by(one, two)

    assert calls.failures == []
    assert pair.discover.pids(MASTER)[0] == master


def test_a_killed_haproxy_is_back_by_itself(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)

    kill(pair.discover, MASTER)

    service.wait_answered_by(one, within_s=10)
    two = service.run()
    service.wait_answered_by(one, two)
    assert pair.discover.pids(DISCOVER)


def test_etcd_restarts_and_nobody_notices(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    before = revisions(pair, service)

    with Calls(service) as calls:
        pair.etcd.do("kill")
        wait_for(
            lambda: fetch(pair.address, 9302, "/readyz").status == 503, 20, "discover misses etcd"
        )
        calls.wait_for_more()
        pair.etcd.do("start")
        pair.wait_until_ready()
        assert revisions(pair, service) == before
        two = service.run()
        service.wait_answered_by(one, two)

    assert calls.failures == []


def test_keys_deleted_by_hand_come_back(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)

    pair.etcdctl("del", "--prefix", "/services/v1/hosts/")

    wait_for(
        lambda: service.keys() == [f"{one.short}:{service.port}"],
        45,
        "its key is back at the next resync",
    )
    service.wait_answered_by(one)


def test_a_second_registrar_waits_and_says_why(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    before = revisions(pair, service)

    second = pair.run(
        *("docker-register", "-v", "/var/run/docker.sock:/var/run/docker.sock"),
        METRICS=f"{pair.address}:9399",
    )
    wait_for(
        lambda: fetch(pair.address, 9399, "/readyz").status == 503,
        20,
        "the second answers, not ready",
    )
    wait_for(lambda: "owner" in fetch(pair.address, 9399, "/readyz").text, 10, "it names the owner")
    assert revisions(pair, service) == before

    second.do("rm", "-f")


def test_there_is_one_key_an_instance_and_the_owner(pair: Pair, service: Service) -> None:
    one, two = service.run(), service.run()
    service.wait_answered_by(one, two)

    root = f"/services/v1/hosts/{pair.settings['docker-register']['HOST_ID']}"
    wanted = {f"{root}/instances/{service.name}/{each.short}:{service.port}" for each in (one, two)}
    of_host = {key for key in pair.keys() if key.startswith(f"{root}/")}
    # and the host's own ports, as that of etcd here
    assert of_host == wanted | {f"{root}/owner", f"{root}/ports"}


@pytest.fixture
def quiet(engine: Engine) -> Iterator[Pair]:
    """A pair of its own: what another test left behind ends at its own time."""
    with Pair(engine) as one:
        yield one


def _are_settled(pair: Pair) -> bool:
    """Whether docker-register told in etcd what it refuses, and nothing of it will change."""
    told = pair.etcdctl("get", "--prefix", "/services/said/", "--print-value-only")
    return bool(told) and "STARTING" not in told


def test_a_minute_of_idleness_moves_no_revision(quiet: Pair) -> None:
    pair, service = quiet, Service(quiet)
    service.wait_answered_by(service.run())
    hold = f"/services/v1/holds/port/{service.port}"
    wait_for(lambda: hold in pair.keys(), 10, "its port is held")
    # The pair's own containers are refused in another way once their HEALTHCHECKs have passed.
    wait_for(lambda: _are_settled(pair), 60, "refusals have settled")
    revision = pair.etcdctl("get", "nothing", "-w", "json")
    workers = pair.discover.pids("haproxy")

    # Nothing to wait for but the end of the minute: what comes, comes from this watch.
    seen = subprocess.run(
        ["docker", "exec", pair.etcd.id, "timeout", "60", "etcdctl", "watch", "--prefix", ""],
        capture_output=True,
        text=True,
        check=False,
    )

    assert seen.stdout == ""
    assert seen.returncode == 124, "the watch ended before its minute was over"
    assert pair.etcdctl("get", "nothing", "-w", "json") == revision
    assert pair.discover.pids("haproxy") == workers
    service.remove()


@pytest.fixture
def mortal(engine: Engine) -> Iterator[Pair]:
    with Pair(engine, register={"TTL": "5"}) as one:
        yield one


def test_a_host_that_dies_is_gone_after_its_ttl(mortal: Pair) -> None:
    service = Service(mortal)
    one = service.run()
    service.wait_answered_by(one)

    mortal.register.do("kill")

    def keys() -> list[str]:
        return [key for key in mortal.keys() if "/hosts/" in key and not key.endswith("/proxy")]

    wait_for(lambda: not keys(), 15, "its keys are gone")
    service.remove()


@pytest.mark.parametrize(
    ("image", "setting", "message"),
    [
        ("docker-register", {"TTL": "soon"}, "docker-register: wrong setting: TTL: 'soon' is not"),
        (
            "docker-register",
            {"HOST_IP": "example"},
            "docker-register: wrong setting: HOST_IP: 'example'",
        ),
        (
            "docker-discover",
            {"BIND": "everywhere"},
            "docker-discover: wrong setting: BIND: 'everywhere' is not",
        ),
        (
            "docker-discover",
            {"METRICS": "9302"},
            "docker-discover: wrong setting: METRICS: '9302' is not",
        ),
    ],
)
def test_wrong_settings_end_the_container_with_status_2(
    pair: Pair, image: str, setting: dict[str, str], message: str
) -> None:
    wrong = pair.run(image, command=(), **setting)

    assert docker("wait", wrong.id) == "2"
    assert message in wrong.logs()
    assert wrong.logs().count("wrong setting") == 1


def test_both_images_say_that_they_are_healthy(pair: Pair) -> None:
    for container in (pair.register, pair.discover):
        wait_for(
            partial(is_healthy, container),
            60,
            container.name,
        )
    assert fetch(pair.address, REGISTER_METRICS, "/healthz").status == 200
