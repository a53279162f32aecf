"""`tandem` over a real etcd and real docker-discovers: what it prints, and how it ends."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.asking.refusals import Refusal, encode
from catalog.asking.said_keys import refused_key
from catalog.keys import OwnerKey, asks_root, key_of
from catalog.version import VERSION
from ctl import ends
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.shell import Shell
from tests.parts.wait import wait_for


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        yield it


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as it:
        yield it


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


def test_a_service_is_waited_for_listed_and_explained(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    port = free_port()
    with backend("orders") as at:
        publish(etcd, local(1, at, port, "orders"), local(2, free_port(), free_port(), "pets"))

        status, out, err = tandem("wait", "orders", "--timeout", "20s")
        assert (status, err) == (ends.DONE, "")
        assert out.startswith("orders  ready 1/1 on 1 of 1 hosts")

        wait_for(lambda: "checks fail" in tandem("ls")[1], 10, "a check fails")
        status, out, err = tandem("ls")
        assert (status, err) == (ends.DONE, "")
        header, pets, orders = out.splitlines()
        columns = ["SERVICE", "PORT", "MODE", "READY", "STUBS", "HOSTS", "SINCE", "NOTE"]
        assert header.split() == columns
        *counts, since, note = orders.split()
        assert (counts, note) == (["orders", str(port), "tcp", "1/1", "-", "h1"], "-")
        assert since.endswith("s") or since == "-"
        assert pets.split()[0] == "pets"
        assert "checks fail: L4CON" in pets
        assert tandem("ls", "--problems", "-o", "name") == (ends.DONE, "pets\n", "")

        status, out, err = tandem("explain", "orders")
        assert (status, err) == (ends.DONE, "")
        assert f"orders listens at 127.0.0.1:{port}, tcp" in out
        assert "is UP" in out

        status, out, _ = tandem("explain", "pets", "-o", "json")
        assert status == ends.NO
        assert json.loads(out)["hosts"] == {"h1": False}


def test_what_is_not_there_has_near_names(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    publish(etcd, local(1, free_port(), free_port(), "orders"))
    tandem("wait", "--for", "revision")

    for words in (("ls", "order"), ("explain", "order")):
        status, out, err = tandem(*words)
        assert (status, out) == (ends.NOT_FOUND, "")
        assert "near: orders" in err

    status, _, err = tandem("wait", "orders", "--on", "host/h2")
    assert status == ends.NOT_FOUND
    assert "near: h1" in err

    status, _, err = tandem("wait", "order", "--timeout", "100ms")
    assert status == ends.DEADLINE
    assert "near: orders" in err


def test_what_haproxy_refuses_is_explained(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    port = free_port()
    publish(etcd, local(1, free_port(), port, "orders"))
    tandem("wait", "--for", "revision")
    publish(etcd, local(2, free_port(), port, "shop"))
    tandem("wait", "--for", "revision")

    for what in ("shop", "shop-2"):
        status, out, _ = tandem("explain", what)
        assert (status, "PORT_CLAIMED" in out) == (ends.NO, True), out
    status, _, err = tandem("wait", "shop", "--timeout", "20s")
    assert (status, "PORT_CLAIMED" in err) == (ends.NO, True)
    assert "tandem explain" in tandem("ls", "shop")[1]


def test_what_comes_later_and_goes_is_waited_for(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with backend("orders") as at:
        record = local(1, at, free_port(), "orders", role="stub")
        later = threading.Timer(0.5, publish, (etcd, record))
        later.start()
        assert tandem("wait", "orders", "--for", "stub", "--timeout", "20s")[0] == ends.DONE
        later.join()

        status, _, err = tandem("wait", "orders", "--timeout", "1s")
        assert status == ends.DEADLINE
        assert "orders  ready 0/1 on 0 of 1 hosts" in err
        assert "h1  1 stubs up" in err

        withdraw(etcd, record)
        assert tandem("wait", "orders", "--for", "gone", "--timeout", "20s")[0] == ends.DONE


def test_a_silent_host_is_named(
    tmp_path: Path, etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with discovering(tmp_path / "e", etcd.endpoint, "--host-id", "h2") as other:
        assert tandem("wait", "--for", "revision")[0] == ends.DONE
        status, out, _ = tandem("ls", "--proxies")
        assert status == ends.DONE
        assert [line.split()[0] for line in out.splitlines()] == ["HOST", "h1", "h2"]
        assert out.count("SYNCED") == 2

        other.kill()
        status, _, err = tandem("wait", "--for", "revision", "--timeout", "1s")
        assert status == ends.DEADLINE
        assert "has not arrived on h2" in err
        _, out, _ = tandem("ls", "--proxies")
        assert out.splitlines()[1].split()[-1] == "silent"
        assert "h2" in out.splitlines()[1]


def test_what_is_refused_is_a_problem(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    rows = (Refusal("shop", "BAD_LABEL", "SERVICE_PORT=x"), Refusal("db", "IGNORED", ""))
    etcd.ctl("put", key_of(PREFIX, OwnerKey("h9")), "x")
    etcd.ctl("put", refused_key(PREFIX, "h9"), encode(rows).decode())

    status, out, err = tandem("ls")
    assert (status, err) == (ends.DONE, "not published: 1, see tandem ls --problems\n")
    status, out, err = tandem("ls", "--problems")
    assert out.splitlines()[1].split() == [
        "shop", "-", "-", "-", "-", "h9", "-", "BAD_LABEL", "SERVICE_PORT=x",
    ]  # fmt: skip


def test_nobody_there_is_unreachable(etcd: Etcd, tandem: Shell) -> None:
    assert tandem("wait", "orders")[0] == ends.UNREACHABLE
    assert tandem("explain", "orders")[0] == ends.UNREACHABLE
    status, _, err = tandem("ls", "--etcd-host", "127.0.0.1:1")
    assert status == ends.UNREACHABLE
    assert "127.0.0.1:1" in err


def test_it_is_a_program(etcd: Etcd) -> None:
    command = [sys.executable, "-m", "ctl", "ls", "-o", "json", "--etcd-host", etcd.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == ends.DONE
    assert json.loads(done.stdout) == {"services": [], "v": 1}


def test_interrupted_it_takes_its_question_back(etcd: Etcd, discover: Discover) -> None:
    command = [sys.executable, "-m", "ctl", "wait", "nobody", "--etcd-host", etcd.endpoint]
    root = asks_root(PREFIX)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as waiting:
        wait_for(lambda: etcd.ctl("get", "--prefix", root, "--keys-only").strip(), 10, "it asks")
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(10) == ends.INTERRUPTED
        assert waiting.stderr is not None
        assert b"Traceback" not in waiting.stderr.read()
    assert not etcd.ctl("get", "--prefix", root, "--keys-only").strip()


def test_several_names_have_one_deadline(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    with backend("a") as first, backend("b") as second:
        publish(etcd, local(1, first, free_port(), "a"), local(2, second, free_port(), "b"))
        status, out, _ = tandem("wait", "a", "b", "--timeout", "20s")
        assert (status, [line.split()[0] for line in out.splitlines()]) == (ends.DONE, ["a", "b"])
        status, out, _ = tandem("wait", "a", "c", "--timeout", "500ms", "-q")
        assert (status, out) == (ends.DEADLINE, "")


def test_what_only_stubs_answer_for_is_listed(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with backend("pets") as first, backend("orders") as second:
        late = local(1, first, free_port(), "pets", role="stub", stub_until="2020-01-31")
        publish(etcd, late, local(2, second, free_port(), "orders", role="stub"))
        assert tandem("wait", "pets", "orders", "--for", "stub", "--timeout", "20s")[0] == ends.DONE

        status, out, err = tandem("stubs")
        assert (status, err) == (ends.DONE, "")
        header, *rows = [line.split() for line in out.splitlines()]
        assert header == ["SERVICE", "SINCE", "STUBS", "CALLS", "CALLS/H", "UNTIL"]
        assert [(row[0], row[2]) for row in rows] == [("pets", "1"), ("orders", "1")]
        assert rows[0][-2:] == ["2020-01-31", "overdue"]
        assert tandem("stubs", "--overdue", "-o", "name") == (ends.DONE, "pets\n", "")

        status, out, _ = tandem("stubs", "-o", "ndjson")
        assert [json.loads(line)["service"] for line in out.splitlines()] == ["pets", "orders"]


def test_versions_of_all_hosts(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    etcd.ctl("put", key_of(PREFIX, OwnerKey("h1")), "x")
    etcd.ctl("put", refused_key(PREFIX, "h1"), encode((), (), VERSION).decode())
    status, out, err = tandem("version", "--all")
    assert (status, err) == (ends.DONE, "")
    first, header, row = out.splitlines()
    assert first == f"tandem {VERSION}"
    assert header.split() == ["HOST", "DISCOVER", "REGISTER", "HAPROXY", "NOTE"]
    assert row.split()[:3] == ["h1", VERSION, VERSION]
    assert row.split()[-1] == "-"
