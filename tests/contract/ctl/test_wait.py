"""`tandem wait` over a real etcd, docker-discovers and their HAProxies: every condition, the fleet
with one proxy stopped, and how late it comes.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from catalog.asking.ask import UNTIL, Ask
from catalog.asking.presence import Presence, encode
from catalog.asking.said_keys import said_root
from catalog.keys import ProxyKey, asks_root, key_of
from catalog.records.record import Check, Instance
from ctl import ends
from ctl.asking import Asking
from tests.parts.backend import backend, echo
from tests.parts.discover import Discover, discovering, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.shell import Shell
from tests.parts.wait import assert_holds, wait_for

HOSTS = ("h1", "h2", "h3")
TIMES = 20
SOON = ("--timeout", "20s")


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as it:
        yield it


@contextmanager
def fleet(tmp_path: Path, etcd: Etcd) -> Iterator[dict[str, Discover]]:
    """Run three docker-discovers, each with a HAProxy of its own and another service port."""
    with ExitStack() as stack:
        yield {
            host: stack.enter_context(
                discovering(
                    tmp_path / host, etcd.endpoint, "--host-id", host, "--bind", f"127.0.0.{number}"
                )
            )
            for number, host in enumerate(HOSTS, 2)
        }


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"?\n")
        assert connection.recv(100)
        yield connection


def standing(etcd: Etcd) -> list[str]:
    keys = etcd.ctl("get", "--prefix", asks_root(PREFIX), "--keys-only")
    return [line for line in keys.splitlines() if line]


class Waiting:
    """`tandem wait` in a thread, begun before what it waits for."""

    def __init__(self, etcd: Etcd, tandem: Shell, *words: str) -> None:
        self._etcd = etcd
        self._words = words
        self._tandem = tandem
        self.ended_s = 0.0
        self.said = (-1, "", "")
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.said = self._tandem("wait", *self._words)
        self.ended_s = time.monotonic()

    def __enter__(self) -> "Waiting":
        self._thread.start()
        wait_for(lambda: standing(self._etcd), 10, "it asks")
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def test_ready_real_and_so_many(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        with Waiting(etcd, tandem, "orders", "--for", "ready=2", *SOON) as waiting:
            publish(etcd, local(1, one, port, "orders"))
            assert tandem("wait", "orders", "--for", "real", *SOON)[0] == ends.DONE
            assert standing(etcd), "one is not two"
            publish(etcd, local(2, two, port, "orders"))
        assert waiting.said[0] == ends.DONE
        assert waiting.said[1].startswith("orders  ready 2/2 on 1 of 1 hosts  ")


def test_stub_and_gone(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    with backend("stub") as at:
        record = local(1, at, free_port(), "orders", role="stub")
        with Waiting(etcd, tandem, "orders", "--for", "stub", *SOON) as waiting:
            publish(etcd, record)
        assert waiting.said[0] == ends.DONE

        with Waiting(etcd, tandem, "orders", "--for", "gone", *SOON) as waiting:
            assert_holds(lambda: standing(etcd), 0.3, "it is there")
            withdraw(etcd, record)
        assert waiting.said[:2] == (ends.DONE, waiting.said[1])
        assert waiting.said[1].startswith("orders  gone on 1 of 1 hosts")


def leaving(record: Instance) -> Instance:
    return replace(record, state="draining")


def test_draining_and_idle(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    port = free_port()
    with echo("one") as one, echo("two") as two:
        first, second = local(1, one, port, "orders"), local(2, two, port, "orders")
        publish(etcd, first)
        tandem("wait", "orders", *SOON)
        with connected(port):
            publish(etcd, second)
            tandem("wait", "orders", "--for", "ready=2", *SOON)
            with Waiting(etcd, tandem, first.container[:12], "--for", "draining", *SOON) as waiting:
                publish(etcd, leaving(first))
            assert waiting.said[0] == ends.DONE

            for name in ("orders", first.container[:12]):
                status, _, err = tandem("wait", name, "--for", "idle", "--timeout", "300ms")
                assert (status, "1 connections left" in err) == (ends.DEADLINE, True), err
            closing = Waiting(etcd, tandem, "orders", "--for", "idle", *SOON)
            closing.__enter__()
        closing.__exit__()
        assert closing.said[0] == ends.DONE


def test_idle_counts_connections_of_old_workers(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    port = free_port()
    with echo("one") as one, echo("two") as two:
        first, second = local(1, one, port, "orders"), local(2, two, port, "orders")
        publish(etcd, first, second)
        tandem("wait", "orders", "--for", "ready=2", *SOON)
        with connected(port), connected(port):
            before = discover.reloads()
            publish(etcd, local(3, one, free_port(), "pets"))
            tandem("wait", "pets", *SOON)
            assert discover.reloads() > before
            publish(etcd, leaving(first))
            status, _, err = tandem("wait", "orders", "--for", "idle", "--timeout", "500ms")
            assert (status, "1 connections left" in err) == (ends.DEADLINE, True), err
        assert tandem("wait", "orders", "--for", "idle", *SOON)[0] == ends.DONE


def test_a_failing_check_is_shown_with_what_it_saw(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with backend("orders") as at:
        bad = local(1, at, free_port(), "orders", mode="http", check=Check("http", "/fail"))
        publish(etcd, bad)
        wait_for(lambda: "DOWN" in tandem("explain", "orders")[1], 10, "its check fails")
        status, out, err = tandem("wait", "orders", "--timeout", "300ms")
        assert (status, out) == (ends.DEADLINE, "")
        assert f"h1  127.0.0.1:{at} is DOWN: L7STS/500" in err


def test_all_names_at_once_or_any(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    with backend("a") as at:
        publish(etcd, local(1, at, free_port(), "a"))
        status, out, _ = tandem("wait", "a", "b", "--any", *SOON)
        assert (status, out.split()[0]) == (ends.DONE, "a")
        status, out, err = tandem("wait", "a", "b", "--timeout", "300ms")
        assert (status, out.split()[0]) == (ends.DEADLINE, "a")
        assert "b  ready 0/1 on 0 of 1 hosts" in err
        assert "nothing of that name" in err
        status, out, _ = tandem("wait", "a", "b", "-o", "json", "--timeout", "300ms")
        document = json.loads(out)
        assert (status, [it["is"] for it in document["names"]]) == (ends.DEADLINE, [True, False])
        assert json.loads(tandem("wait", "--for", "revision", "-o", "json")[1])["hosts"] == ["h1"]


def test_who_is_too_old_is_named_and_not_waited_for(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    etcd.ctl("put", key_of(PREFIX, ProxyKey("h9")), encode(Presence(kinds=("applied",))).decode())
    with backend("a") as at:
        publish(etcd, local(1, at, free_port(), "a"))
        status, out, err = tandem("wait", "a", *SOON)
        assert (status, "1 of 1 hosts" in out) == (ends.DONE, True)
        assert err == "not waited for, too old to be asked: h9\n"


def test_what_is_so_no_more_is_told(etcd: Etcd, discover: Discover) -> None:
    with backend("a") as at:
        record = local(1, at, free_port(), "a")
        publish(etcd, record)
        said = []
        with Asking(etcd.access, PREFIX) as asking:
            asked = Ask(UNTIL, names=("a",))
            for heard in asking.ask(asked, 20, enough=lambda _: False):
                (row,) = heard.answer.rows
                said.append(row["is"])
                if said[-2:] == [True, False]:
                    break
                if row["is"]:
                    withdraw(etcd, record)
        assert said[-2:] == [True, False]


def test_waiting_writes_nothing_and_idle_costs_nothing(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with Waiting(etcd, tandem, "nobody", "--timeout", "3s"):
        wait_for(lambda: etcd.ctl("get", "--prefix", said_root(PREFIX)), 5, "it is answered")
        before = etcd.revision()
        assert_holds(lambda: etcd.revision() == before, 1, "no write while it is not so")
    assert not standing(etcd)
    before = etcd.revision()
    assert_holds(lambda: etcd.revision() == before, 1, "no write while nobody asks")


def test_it_returns_as_soon_as_the_last_of_three_has_it(tmp_path: Path, etcd: Etcd) -> None:
    with fleet(tmp_path, etcd) as discovers, backend("orders") as at:
        late_ms = []
        for number in range(1, TIMES + 1):
            record = local(number, at, free_port(), f"s{number}")
            ended_s, said = ended_at(etcd, record)
            assert "on 3 of 3 hosts" in said
            last_s = max(applied_at(it, record) for it in discovers.values())
            late_ms.append(round((ended_s - last_s) * 1000))

        print(f"ended after the last of 3 reloaded, ms, {TIMES} times: p50", end=" ")
        print(f"{statistics.median(late_ms):.0f}, max {max(late_ms)}:", *late_ms)
        assert statistics.median(late_ms) < 1000


def ended_at(etcd: Etcd, record: Instance) -> tuple[float, str]:
    """Publish a record once the program waits for it; return when that ended, and what it said."""
    words = ("wait", record.service, "--timeout", "20s", "--etcd-host", etcd.endpoint)
    with subprocess.Popen(
        [sys.executable, "-m", "ctl", *words], stdout=subprocess.PIPE, text=True
    ) as program:
        wait_for(lambda: standing(etcd), 20, "it asks")
        publish(etcd, record)
        assert program.wait(20) == ends.DONE
        ended_s = time.time()
        assert program.stdout is not None
        return ended_s, program.stdout.read()


def applied_at(discover: Discover, record: Instance) -> float:
    """Return when a docker-discover said that HAProxy had a record's service."""
    text = f"new listen {record.service}:{record.service_port}"
    line = next(line for line in discover.log.splitlines() if text in line and "reloaded" in line)
    return datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()


def test_an_etcd_that_comes_back_is_asked_again(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with backend("orders") as at, Waiting(etcd, tandem, "orders", *SOON) as waiting:
        etcd.stop()
        etcd.start()
        publish(etcd, local(1, at, free_port(), "orders"))
    assert waiting.said[0] == ends.DONE, waiting.said


def test_with_one_proxy_stopped_it_is_named(tmp_path: Path, etcd: Etcd, tandem: Shell) -> None:
    with fleet(tmp_path, etcd) as discovers, backend("orders") as at:
        os.kill(discovers["h2"].pid(), signal.SIGSTOP)
        try:
            publish(etcd, local(1, at, free_port(), "orders"))
            status, out, err = tandem("wait", "orders", "--timeout", "2s")
            assert (status, out) == (ends.DEADLINE, "")
            assert "on 2 of 3 hosts" in err
            assert "  h2  silent: its docker-discover has not answered" in err
            assert "h1" not in err
            assert tandem("wait", "orders", "--on", "host/h1,host/h3", *SOON)[0] == ends.DONE
        finally:
            os.kill(discovers["h2"].pid(), signal.SIGCONT)
        assert tandem("wait", "orders", *SOON)[0] == ends.DONE
