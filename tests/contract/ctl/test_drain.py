"""`tandem drain`, `undrain` and `weight` over a real etcd, two docker-discovers and HAProxys."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.keys import DrainedKey, ProxyKey, key_of, overrides_root
from catalog.records.record import Instance
from ctl import ends, program
from tests.parts.backend import backends, echo
from tests.parts.caller import Caller, TcpClient
from tests.parts.discover import Discover, discovering
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, entry, local
from tests.parts.wait import wait_for

FIRST, SECOND = "000000000001", "000000000002"


@pytest.fixture
def h1(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d1", etcd.endpoint, "--host-id", "h1") as it:
        yield it


class Shell:
    """Calls `tandem`, and reads what it prints."""

    def __init__(self, etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> None:
        self._environ = {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX}
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        status = program.run(words, self._environ)
        said = self._capsys.readouterr()
        return status, said.out, said.err


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


def publish(etcd: Etcd, host: str, *records: Instance) -> None:
    for record in records:
        it = entry(record, host=host)
        etcd.ctl("put", it.key, it.value.decode())


def overrides(etcd: Etcd) -> list[str]:
    return etcd.ctl("get", "--prefix", overrides_root(PREFIX), "--keys-only").split()


def answers(port: int, calls: int = 20) -> Counter[str]:
    replies = (get(port) for _ in range(calls))
    return Counter(body if status == 200 else str(status) for status, body in replies)


def test_a_host_drains_from_anywhere_without_a_lost_call_and_comes_back(
    tmp_path: Path, etcd: Etcd, h1: Discover, tandem: Shell
) -> None:
    port = free_port()
    with (
        backends("a", "b", "late") as (a, b, late),
        discovering(tmp_path / "d2", etcd.endpoint, "--host-id", "h2", "--bind", "127.0.0.2"),
    ):
        publish(etcd, "h1", local(1, a, port, mode="http"))
        publish(etcd, "h2", local(2, b, port, mode="http"))
        assert tandem("wait", "whoami", "--for", "ready=2", "--timeout", "20s")[0] == ends.DONE

        with Caller(port) as caller:
            status, out, _ = tandem("drain", "host/h1", "--why", "new disk", "--wait")
            assert (status, caller.failed) == (ends.DONE, [])
            assert out.startswith("host/h1  drained on 2 of 2 hosts, 1 instance of whoami")
            assert answers(port) == {"b": 20}

            publish(etcd, "h1", local(3, late, port, mode="http"))
            tandem("wait", "--for", "revision")
            assert answers(port) == {"b": 20}

            _, out, _ = tandem("drain")
            assert out.splitlines()[1].startswith("host/h1  drained")
            assert "new disk" in out
            status, out, _ = tandem("undrain", "host/h1")
            assert status == ends.DONE
            assert out.startswith("host/h1  no longer drained on 2 of 2 hosts")
            assert answers(port, 30).keys() == {"a", "b", "late"}

        assert caller.failed == []
        assert overrides(etcd) == []


def test_the_last_real_instance_is_guarded(etcd: Etcd, h1: Discover, tandem: Shell) -> None:
    port, stubbed = free_port(), free_port()
    with backends("only", "real", "stub") as (only, real, stub):
        publish(etcd, "h1", local(1, only, port, "db"), local(2, real, stubbed, "pets"))
        publish(etcd, "h2", local(3, stub, stubbed, "pets", role="stub"))
        assert tandem("wait", "db", "pets", "--timeout", "20s")[0] == ends.DONE
        assert tandem("wait", "pets", "--for", "stub", "--timeout", "20s")[0] == ends.DONE

        for words in (("drain", "db@h1"), ("drain", FIRST), ("weight", FIRST, "0")):
            status, out, err = tandem(*words)
            assert (status, out) == (ends.GUARD, ""), err
            assert "would leave without a real instance: db (its only one)" in err
        status, _, err = tandem("drain", "host/h1", "--dry-run")
        assert status == ends.GUARD
        assert "db (its only one), pets (a stub answers)" in err
        assert overrides(etcd) == []

        status, out, err = tandem("drain", "pets@h1", "--force")
        assert status == ends.DONE
        assert "forced: would leave without a real instance" in err
        assert answers(stubbed, 2) == {"stub": 2}
        assert tandem("drain", "pets@h1")[0] == ends.DONE, "what is drained serves nobody"


def test_one_container_is_drained_for_a_while_or_weighed(
    etcd: Etcd, h1: Discover, tandem: Shell
) -> None:
    port = free_port()
    with backends("one", "two") as (one, two):
        publish(etcd, "h1", local(1, one, port, mode="http"), local(2, two, port, mode="http"))
        assert tandem("wait", "whoami", "--for", "ready=2", "--timeout", "20s")[0] == ends.DONE

        status, out, _ = tandem("weight", "whoami-2", "25", "--for", "1h")
        assert status == ends.DONE
        assert out.startswith("whoami-2  weight 25 on 1 of 1 hosts  until 20")
        assert answers(port, 50)["two"] in (9, 10, 11)
        assert tandem("weight", SECOND, "--end")[0] == ends.DONE
        assert answers(port) == {"one": 10, "two": 10}
        assert tandem("weight", SECOND, "--end")[0] == ends.NO

        status, out, _ = tandem("drain", FIRST[:8] + "0001:8000", "--for", "2s", "-o", "json")
        assert status == ends.DONE
        document = json.loads(out)
        assert (document["hosts"], document["instances"]) == (["h1"], {"whoami": 1})
        assert answers(port) == {"two": 20}
        assert "drained by" in tandem("ls")[1]
        assert "drained by" in tandem("explain", "whoami")[1]
        status, _, err = tandem("drain", FIRST)
        assert (status, "already drained by" in err) == (ends.DONE, True)
        wait_for(lambda: answers(port, 2) == {"one": 1, "two": 1}, 10, "its time is over")


def test_wait_counts_connections_also_of_an_old_worker(
    etcd: Etcd, h1: Discover, tandem: Shell
) -> None:
    port = free_port()
    with echo("one") as one, backends("later") as (later,), echo("two") as two:
        publish(etcd, "h1", local(1, one, port))
        assert tandem("wait", "whoami", "--timeout", "20s")[0] == ends.DONE
        client = TcpClient(port)
        assert client.ask() == "one"
        publish(etcd, "h1", local(2, two, port), local(9, later, free_port(), "later"))
        assert tandem("wait", "whoami", "--for", "ready=2", "--timeout", "20s")[0] == ends.DONE
        assert tandem("wait", "later", "--timeout", "20s")[0] == ends.DONE

        status, _, err = tandem("drain", FIRST, "--wait", "--timeout", "1s")
        assert (status, "connections are left: h1 1" in err) == (ends.DEADLINE, True), err
        assert client.ask() == "one", "open connections go on"

        client.close()
        status, out, _ = tandem("drain", FIRST, "--wait")
        assert (status, "left" in out) == (ends.DONE, False)


def test_an_old_docker_discover_is_named(etcd: Etcd, h1: Discover, tandem: Shell) -> None:
    etcd.ctl("put", key_of(PREFIX, ProxyKey("h9")), '{"v":1,"kinds":["applied"]}')
    with socket.create_server(("127.0.0.1", 0)) as one:
        publish(etcd, "h1", local(1, one.getsockname()[1], free_port()))
        status, out, err = tandem("drain", FIRST, "--force")
        assert (status, "too old to obey, and calls it as before: h9" in err) == (ends.NO, True)
        assert "drained on 1 of 2 hosts (not: h9)" in out


def test_what_is_no_target_is_said(etcd: Etcd, h1: Discover, tandem: Shell) -> None:
    publish(etcd, "h1", local(1, free_port(), free_port()))
    publish(etcd, "h1", local(2, free_port(), free_port(), "other"))
    for word, status, said in (
        ("host/h2", ends.NOT_FOUND, "near: h1"),
        ("whoam@h1", ends.NOT_FOUND, "near: whoami"),
        ("whoami", ends.WRONG_USE, "whoami is a service"),
        ("h1", ends.WRONG_USE, "write host/h1"),
        ("whoami-9", ends.NOT_FOUND, "near: whoami-1"),
        ("beef", ends.NOT_FOUND, "beef is not published now"),
        ("0000", ends.WRONG_USE, "may be any of 000000000001, 000000000002"),
    ):
        found, _, err = tandem("drain", word, "--force")
        assert (found, said in err) == (status, True), (word, err)
    assert tandem("weight", "host/h1", "5")[0] == ends.WRONG_USE
    assert tandem("weight", FIRST)[0] == ends.WRONG_USE
    assert tandem("undrain", "whoami@h1")[0] == ends.NO

    assert tandem("drain", "host/h1", "--force")[0] == ends.DONE
    status, _, err = tandem("undrain", FIRST)
    assert (status, "but drained with host h1 by" in err) == (ends.NO, True), err
    etcd.ctl("put", key_of(PREFIX, DrainedKey("h3")), "{}")
    status, _, err = tandem("undrain", "host/h3")
    assert (status, "on its own machine" in err) == (ends.NO, True)
