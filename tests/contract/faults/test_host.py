"""Faults of a host, each held to its measure: restarts, lost and cut events, engines that refuse,
clones of a host.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from register.ready.removals import SECOND_LOOK_S
from tests.parts.docker_proxy import docker_proxy
from tests.parts.engine import Container, Engine
from tests.parts.etcd import Etcd
from tests.parts.register import PREFIX, Catalog, Changes, Register
from tests.parts.scripted_engine import LIST, answers_of, scripted_engine
from tests.parts.served import post, serve
from tests.parts.wait import wait_for


@contextlib.contextmanager
def repeated(action: Callable[[], object], every_s: float) -> Iterator[list[int]]:
    """Do something again and again meanwhile; the list has how often, as its length."""
    over, done = threading.Event(), list[int]()

    def run() -> None:
        while not over.wait(every_s):
            action()
            done.append(1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join(30)


def keys_of(catalog: Catalog, service: str) -> int:
    return sum(f"/{service}/" in key for key in catalog.entries())


def test_twenty_restarts_never_give_two_keys(
    engine: Engine, etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 6."""
    with Register(tmp_path, etcd):
        one = serve(engine, "restarts")
        wait_for(lambda: catalog.instance("restarts"), 10, "published")
        most: list[int] = []
        with Changes(catalog) as changes:
            with repeated(lambda: most.append(keys_of(catalog, "restarts")), 0.01):
                for _ in range(20):
                    one.do("restart", "-t", "2")
                port = one.host_port(8000)
                wait_for(lambda: catalog.port("restarts") == port, 15, "the last port")
            events = changes.of("restarts", catalog)

    keys = {event.key for event in changes.events if "/restarts/" in event.key}
    print(
        f"20 restarts: {len(keys)} key, {events.count('delete')} deletes; at most {max(most)} "
        "at a time"
    )
    assert len(keys) == 1
    assert max(most) == 1


def test_a_registrar_that_was_stopped_while_events_were_lost_catches_up(
    engine: Engine, etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 13: more events than the engine remembers (256), and than its socket holds."""
    with Register(tmp_path, etcd, TTL="60") as register:
        gone, stays = serve(engine, "gone"), serve(engine, "stays-13")
        wait_for(lambda: catalog.instance("gone") and catalog.instance("stays-13"), 15, "published")
        register.send(signal.SIGSTOP)
        gone.do("rm", "-f")
        for _ in range(600):
            post(f"/containers/{stays.id}/kill?signal=WINCH")
        late = serve(engine, "late")
        assert catalog.instance("gone")
        assert not catalog.instance("late")
        with Changes(catalog) as changes:
            register.send(signal.SIGCONT)
            began = time.monotonic()
            wait_for(
                lambda: catalog.instance("late") and not catalog.instance("gone"),
                30,
                "no drift is left",
            )
            took_s = time.monotonic() - began
            untouched = changes.of("stays-13", catalog)

    print(f"no drift {took_s:.1f} s after SIGCONT")
    assert late.id
    assert untouched == []


def test_a_stream_that_is_cut_all_the_time_misses_nothing(
    engine: Engine, etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 12."""
    with docker_proxy() as proxy, Register(tmp_path, etcd, DOCKER_HOST=proxy.docker_host):
        stays = serve(engine, "stays-12")
        wait_for(lambda: catalog.instance("stays-12"), 15, "published")
        late: list[float] = []
        with Changes(catalog) as changes, repeated(proxy.cut, 1.0) as cuts:
            for number in range(6):
                began = time.monotonic()
                one = serve(engine, f"churn-{number}")
                wait_for(lambda n=number: catalog.instance(f"churn-{n}"), 10, "published")  # type: ignore[misc]
                one.do("rm", "-f")
                wait_for(lambda n=number: not catalog.instance(f"churn-{n}"), 10, "withdrawn")  # type: ignore[misc]
                late.append(time.monotonic() - began)
            untouched = changes.of("stays-12", catalog)

    print(f"{len(cuts)} cuts; a container's start to its withdrawal took at most {max(late):.1f} s")
    assert stays.id
    assert untouched == []


@pytest.mark.parametrize(
    "refusal",
    [
        {LIST: (403, b'{"message": "permission denied"}')},
        {
            LIST: (
                400,
                b'{"message": "client version 1.41 is too new. Maximum supported API version '
                b'is 1.24"}',
            )
        },
        {LIST: (500, b"oops")},
    ],
    ids=["no right", "too old", "broken"],
)
def test_an_engine_that_refuses_is_asked_slowly_and_forgiven(
    etcd: Etcd, catalog: Catalog, tmp_path: Path, refusal: dict[str, tuple[int, bytes]]
) -> None:
    """Row 19; the refusals are scripted, as a real engine of that age is not at hand."""
    answers = answers_of(3)
    with (
        scripted_engine(answers) as docker_host,
        Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, RESYNC="1") as register,
        Changes(catalog) as changes,
    ):
        wait_for(lambda: catalog.instance("scripted-3"), 15, "published")
        good = dict(answers)
        answers.update(refusal)
        lines, began = register.log.count("\n"), time.monotonic()
        wait_for(lambda: "docker:" in register.get("/readyz")[1], 10, "not ready, and why")
        wait_for(lambda: time.monotonic() - began > 10, 11, "ten seconds of refusals")
        said = register.log.count("\n") - lines
        answers.update(good)
        back = time.monotonic()
        wait_for(lambda: "docker:" not in register.get("/readyz")[1], 10, "ready again")
        took_s = time.monotonic() - back

        print(f"{said} lines in 10 s, back after {took_s:.1f} s")
        assert said <= 10
        assert took_s <= 5
        assert changes.of("scripted-1", catalog) == ["put"]


def test_an_engine_that_is_away_keeps_nothing_out_of_etcd(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 19, and the lease is lost meanwhile: what was last seen is published again, without a
    list.
    """
    answers = answers_of(3)
    with (
        scripted_engine(answers) as docker_host,
        Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, RESYNC="1") as register,
    ):
        wait_for(lambda: len(catalog.entries()) == 4, 60, "published")
        answers[LIST] = (500, b"engine is loading")
        wait_for(lambda: "docker:" in register.get("/readyz")[1], 30, "the engine is away")
        etcd.ctl("lease", "revoke", str(register.explain()["lease"]))
        began = time.monotonic()
        wait_for(lambda: len(catalog.entries()) == 4, 30, "published again")
        print(f"published again after {time.monotonic() - began:.1f} s")
        assert "docker:" in register.get("/readyz")[1]


def test_only_another_list_confirms_a_mass_removal(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 19: the engine is away when the second look is due."""
    answers = answers_of(5)
    with (
        scripted_engine(answers) as docker_host,
        Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, RESYNC="1") as register,
        Changes(catalog) as changes,
    ):
        wait_for(lambda: len(catalog.entries()) == 6, 60, "published")
        answers[LIST] = (200, b"[]")
        wait_for(lambda: "missing from one list" in register.log, 30, "it noticed")
        answers[LIST] = (500, b"engine is loading")
        began = time.monotonic()
        wait_for(
            lambda: time.monotonic() - began > SECOND_LOOK_S + 4, 30, "the second look is overdue"
        )
        assert [changes.of(f"scripted-{number}", catalog) for number in range(1, 6)] == [
            ["put"]
        ] * 5


def test_a_clone_of_a_host_id_waits_and_says_so(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 22: another machine, which an engine of another id stands for, started from the same
    image.
    """
    mine = answers_of(3) | {"/info": (200, b'{"ID": "E1", "Name": "a"}')}
    other = answers_of(5) | {"/info": (200, b'{"ID": "E2", "Name": "b"}')}
    with (
        scripted_engine(mine) as one,
        scripted_engine(other) as two,
        Register(tmp_path, etcd, wait=False, DOCKER_HOST=one),
    ):
        wait_for(lambda: catalog.instance("scripted-3"), 15, "published")
        said = f"{PREFIX}/said/"
        wait_for(lambda: etcd.ctl("get", "--prefix", said), 10, "refusals are told")
        before = catalog.revision()
        with Register(tmp_path, etcd, wait=False, DOCKER_HOST=two) as clone:
            wait_for(
                lambda: "another machine uses the same HOST_ID" in clone.log,
                15,
                "it says why it waits",
            )
            wait_for(lambda: "another machine" in clone.get("/readyz")[1], 5, "also when asked")
            checks = clone.log.count("\n")
            wait_for(lambda: catalog.revision() == before, 1, "nothing was written")
            assert checks < 20


def test_twenty_kills_change_nothing(
    engine: Engine, etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 20. The lease outlives twenty starts of Python on a machine that has other work."""
    with Register(tmp_path, etcd, TTL="120") as register:
        one: Container = serve(engine, "stays-20")
        wait_for(lambda: catalog.instance("stays-20"), 60, "published")
        lease = register.explain()["lease"]
        with Changes(catalog) as changes:
            for _ in range(20):
                register.end(signal.SIGKILL)
                register.start()
            assert changes.of("stays-20", catalog) == []
            # Other tests' containers on this engine come and go meanwhile; this host's other keys
            # do not.
            deleted = [event.key for event in changes.events if event.entry is None]
        assert [key for key in deleted if "/instances/" not in key or "/stays-20/" in key] == []
        assert register.explain()["lease"] == lease
    assert one.id


def test_keys_deleted_behind_its_back_are_back_within_a_second(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 23: all at once, with the defaults; tests/contract/register/test_own_watch.py has the
    other ways.
    """
    with (
        scripted_engine(answers_of(3)) as docker_host,
        Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, TTL="15"),
    ):
        wait_for(lambda: len(catalog.entries()) == 4, 15, "published")
        etcd.ctl("del", "--prefix", f"{PREFIX}/v1/hosts/h1/instances/")
        began = time.monotonic()
        wait_for(lambda: len(catalog.entries()) == 4, 60, "published again")
        took_s = time.monotonic() - began

    print(f"back after {took_s:.2f} s")
    assert took_s <= 1
