"""`tandem intercept` over a real etcd, docker-discover and HAProxy: who gets which calls."""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.keys import overrides_root
from catalog.overrides.override import Override, encode
from ctl import ends
from ctl.intercepts import target
from ctl.intercepts.holding import Holding, Rival
from tests.parts.backend import backend, echo
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.intercepts import Tandem, get, intercepting, run
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for

UNTIL_S = 4102444800  # in 2100
ANNA = ("--header", "x-dev=anna")


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as it:
        yield it


def line(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"x\n")
        return connection.makefile().readline().strip()


def left(etcd: Etcd) -> str:
    return etcd.ctl("get", "--prefix", overrides_root(PREFIX), "--keys-only").strip()


def test_calls_with_the_header_come_here_while_it_runs_and_no_others(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with backend("shop") as shop, backend("laptop") as laptop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")

        to = f"127.0.0.1:{laptop}"
        with intercepting(etcd, tmp_path, "shop", "--to", to, *ANNA) as tandem:
            tandem.wait_said(f"shop on h1: calls with x-dev=anna go to {to} until")
            assert get(port, **{"x-dev": "anna"}) == (200, "laptop")
            assert get(port) == get(port, **{"x-dev": "bob"}) == (200, "shop")
            reloads = discover.reloads()
            said = run(etcd, "shop", command="explain")[1]
            assert f"calls with x-dev=anna go to {to}: anna@" in said
            assert tandem.end() == ends.INTERRUPTED
            assert "Traceback" not in tandem.said
        assert left(etcd) == ""
        wait_for(lambda: get(port, **{"x-dev": "anna"}) == (200, "shop"), 5, "it is given back")

        with intercepting(etcd, tmp_path, "shop", "--to", to, "--path", "/api") as tandem:
            tandem.wait_said("calls below /api")
            assert get(port, "/api/x") == (200, "laptop")
            assert get(port, "/apiary") == (200, "shop")
            tandem.end(signal.SIGKILL)
        wait_for(lambda: get(port, "/api") == (200, "shop"), 20, "a crash gives it back")
        assert discover.reloads() == reloads


def test_tcp_has_all_its_calls_led_and_given_back(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with echo("db") as db, echo("laptop") as laptop:
        publish(etcd, local(1, db, port, "db"))
        wait_for(lambda: line(port) == "db", 20, "it answers")

        words = ("db", "--to", f"127.0.0.1:{laptop}", "--only", "host/h1")
        with intercepting(etcd, tmp_path, *words, *ANNA) as tandem:
            assert tandem.status() == ends.WRONG_USE
            assert "tcp mode" in tandem.said
        with intercepting(etcd, tmp_path, *words, "--all") as tandem:
            assert tandem.status() == ends.GUARD
            assert "--yes" in tandem.said

        with intercepting(etcd, tmp_path, *words, "--all", "--yes") as tandem:
            tandem.wait_said("db on h1: all calls go to")
            assert line(port) == "laptop"
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                tandem.end()
                wait_for(lambda: line(port) == "db", 5, "it is given back")
                connection.sendall(b"x\n")
                assert connection.makefile().readline() == "laptop\n", "open connections go on"


def test_the_second_is_refused_with_the_owner_and_take_tells_the_first(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with backend("shop") as shop, backend("anna") as anna, backend("bob") as bob:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        flags = ("shop", *ANNA, "--to")

        with intercepting(etcd, tmp_path, *flags, f"127.0.0.1:{anna}", user="anna") as first:
            first.wait_said("shop on h1")
            with intercepting(etcd, tmp_path, *flags, f"127.0.0.1:{bob}", user="bob") as second:
                assert second.status() == ends.GUARD
                assert "shop: calls with x-dev=anna go to anna@" in second.said
                assert get(port, **{"x-dev": "anna"}) == (200, "anna")

            taking = (*flags, f"127.0.0.1:{bob}", "--take")
            with intercepting(etcd, tmp_path, *taking, user="bob") as second:
                second.wait_said("shop on h1")
                assert get(port, **{"x-dev": "anna"}) == (200, "bob")
                assert first.status() == ends.GUARD
                assert "bob@" in first.said
                assert "has taken them" in first.said

                rows = json.loads(run(etcd, "ls", "-o", "json")[1])["intercepts"]
                [row] = rows
                assert (row["service"], row["calls"]) == (f"shop:{port}", "with x-dev=anna")
                assert run(etcd, "end", row["id"], user="anna")[0] == ends.GUARD
                assert run(etcd, "end", "none")[0] == ends.NOT_FOUND
                assert run(etcd, "end", "--mine", user="bob")[0] == ends.DONE
                assert second.status() == ends.NO
                assert "somebody ended it" in second.said


def test_it_lasts_as_long_as_a_command_and_gives_its_status(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port, own = free_port(), free_port()
    call = "import sys,urllib.request as u;" + (
        f"r=u.Request('http://127.0.0.1:{port}/',headers={{'x-dev':'anna'}});"
        "print('heard', u.urlopen(r, timeout=5).read().decode());sys.exit(7)"
    )
    with backend("shop") as shop, backend("laptop") as laptop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")

        flags = ("shop", *ANNA, "--to")
        words = (*flags, f"127.0.0.1:{laptop}", "--", sys.executable, "-c", call)
        with intercepting(etcd, tmp_path, *words) as tandem:
            assert tandem.status() == 7
            assert "heard laptop" in tandem.said
        assert left(etcd) == ""

        # The command is the program itself: it is waited for.
        serve = (sys.executable, "-m", "http.server", str(own), "--bind", "127.0.0.1")
        with intercepting(etcd, tmp_path, *flags, f"127.0.0.1:{own}", "--", *serve) as tandem:
            tandem.wait_said("shop on h1")
            assert "Directory listing" in get(port, **{"x-dev": "anna"})[1]
            tandem.end(signal.SIGTERM)
            wait_for(lambda: get(port, **{"x-dev": "anna"}) == (200, "shop"), 5, "given back")

        nothing: tuple[str, ...] = ()
        for more, status in ((nothing, ends.NO), (("--", "no-such-program"), 127)):
            with intercepting(etcd, tmp_path, *flags, f"127.0.0.1:{own}", *more) as tandem:
                assert tandem.status() == status, tandem.said


def test_who_wants_calls_and_does_not_take_them_is_named(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with backend("shop") as shop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        with backend("laptop") as laptop:
            tandem = Tandem(etcd, tmp_path, "shop", *ANNA, "--to", f"127.0.0.1:{laptop}")
            tandem.wait_said("shop on h1")
        try:
            status, body = get(port, **{"x-dev": "anna"})
            assert (status, "shop is intercepted by" in body) == (503, True)
            assert get(port) == (200, "shop")
        finally:
            tandem.end()


def test_a_target_that_is_haproxy_itself_is_refused(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with backend("shop") as shop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        with intercepting(etcd, tmp_path, "shop", *ANNA, "--to", f"127.0.0.1:{port}") as tandem:
            assert tandem.status() == ends.NO
            assert "in a circle" in tandem.said
            assert "h1" in tandem.said
        assert left(etcd) == ""


def own_address() -> str:
    """Return an address of this machine that other hosts could dial."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect(("192.0.2.1", 9))  # documentation addresses: nothing is sent
        return str(towards.getsockname()[0])


@contextlib.contextmanager
def full(address: str) -> Iterator[int]:
    """Give a port at which connections are neither accepted nor refused, as of a dead machine."""
    with socket.socket() as deaf, contextlib.ExitStack() as waiting:
        deaf.bind((address, 0))
        deaf.listen(0)
        at = deaf.getsockname()
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(at)
        wait_for(lambda: target.refusal(f"{address}:{at[1]}", 0.3), 10, "its queue is full")
        yield at[1]


def test_every_host_does_it_and_who_does_not_is_named(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    address, port = own_address(), free_port()
    with (
        backend("shop") as shop,
        backend("laptop", address) as laptop,
        discovering(tmp_path / "e", etcd.endpoint, "--host-id", "h2", "--bind", "127.0.0.2") as two,
    ):
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port, at="127.0.0.2") == (200, "shop"), 20, "h2 answers")
        words = ("shop", *ANNA, "--to")

        with intercepting(etcd, tmp_path, *words, f"127.0.0.1:{laptop}") as tandem:
            assert tandem.status() == ends.WRONG_USE
            assert "another machine on each of 2 hosts" in tandem.said
        with intercepting(etcd, tmp_path, *words, f":{laptop}") as tandem:
            assert tandem.status() == ends.WRONG_USE
            assert "reached over loopback" in tandem.said

        to = f"{address}:{laptop}"
        with intercepting(etcd, tmp_path, *words, to) as tandem:
            tandem.wait_said(f"shop on 2 hosts: calls with x-dev=anna go to {to} until")
            for at in ("127.0.0.1", "127.0.0.2"):
                assert get(port, at=at, **{"x-dev": "anna"}) == (200, "laptop")
                assert get(port, at=at) == (200, "shop")

            # The machine sleeps, longer than its lease lives, and wakes up.
            tandem.process.send_signal(signal.SIGSTOP)
            wait_for(lambda: get(port, **{"x-dev": "anna"}) == (200, "shop"), 20, "given back")
            tandem.process.send_signal(signal.SIGCONT)
            tandem.wait_said("while this machine was away; once more")
            wait_for(lambda: get(port, **{"x-dev": "anna"}) == (200, "laptop"), 20, "once more")
            tandem.end()

        os.kill(two.pid(), signal.SIGSTOP)
        try:
            with intercepting(etcd, tmp_path, *words, to) as tandem:
                tandem.wait_said("not yet on h2: silent for 5 s")
                assert "shop on h1: calls" in tandem.said
                tandem.end()
        finally:
            os.kill(two.pid(), signal.SIGCONT)


def test_a_machine_that_is_dead_holds_no_caller_longer_than_a_connect(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with backend("shop") as shop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        with full("127.0.0.1") as dead:
            key = f"{overrides_root(PREFIX)}shop/dead"
            record = Override(
                by="a",
                to=f"127.0.0.1:{dead}",
                header="x-dev=anna",
                only=("h1",),
                until_s=UNTIL_S,
            )
            etcd.ctl("put", key, encode(record).decode())
            wait_for(lambda: get(port, **{"x-dev": "anna"})[0] == 503, 20, "it is led away")
            began_s = time.monotonic()
            assert get(port, **{"x-dev": "anna"})[0] == 503
            assert time.monotonic() - began_s < 2
            assert get(port) == (200, "shop")


def test_a_template_without_the_rules_is_named(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    extending = '{% extends "haproxy.cfg.j2" %}{% block listener_intercepted %}{% endblock %}\n'
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "site.cfg.j2").write_text(extending)
    discover.stop()
    discover.flags += ["--template", str(folder / "site.cfg.j2")]
    discover.start()
    discover.wait_ready()
    with backend("shop") as shop, backend("laptop") as laptop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        with intercepting(etcd, tmp_path, "shop", *ANNA, "--to", f"127.0.0.1:{laptop}") as tandem:
            assert tandem.status() == ends.NO
            assert "the template in use" in tandem.said


def test_of_two_that_begin_at_once_one_wins(etcd: Etcd) -> None:
    begun: list[str] = []
    refused: list[str] = []
    all_here = threading.Barrier(4)

    def begin(user: str) -> None:
        override = Override(by=user, to="192.0.2.77:9000", header="x-dev=anna")
        with Holding(etcd.access, PREFIX, "shop", override, tell=lambda _news: None) as holding:
            all_here.wait(20)
            try:
                holding.begin(take=False)
                begun.append(user)
            except Rival as rival:
                refused.append(str(rival))
            all_here.wait(20)

    threads = [threading.Thread(target=begin, args=(f"user-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(begun), refused) == (1, begun * 3)
    assert left(etcd) == ""


def test_without_etcd_the_calls_go_back_and_come_again(
    etcd: Etcd, discover: Discover, tmp_path: Path
) -> None:
    port = free_port()
    with backend("shop") as shop, backend("laptop") as laptop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        with intercepting(etcd, tmp_path, "shop", *ANNA, "--to", f"127.0.0.1:{laptop}") as tandem:
            tandem.wait_said("shop on h1")
            etcd.pause()
            wait_for(lambda: get(port, **{"x-dev": "anna"}) == (200, "shop"), 30, "given back")
            tandem.wait_said("etcd has not been reached for", 30)
            etcd.resume()
            wait_for(lambda: get(port, **{"x-dev": "anna"}) == (200, "laptop"), 30, "once more")
            assert tandem.end() == ends.INTERRUPTED


def test_a_command_is_interrupted_with_it(etcd: Etcd, discover: Discover, tmp_path: Path) -> None:
    port = free_port()
    with backend("shop") as shop, backend("laptop") as laptop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        words = ("shop", *ANNA, "--to", f"127.0.0.1:{laptop}", "--")
        waits = ("sh", "-c", "echo begun; exec sleep 60")
        with intercepting(etcd, tmp_path, *words, *waits) as tandem:
            tandem.wait_said("begun")
            assert tandem.end() == ends.INTERRUPTED
        assert left(etcd) == ""


def test_its_time_ends_it(etcd: Etcd, discover: Discover, tmp_path: Path) -> None:
    port = free_port()
    with backend("shop") as shop, backend("laptop") as laptop:
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port) == (200, "shop"), 20, "it answers")
        words = ("shop", *ANNA, "--to", f"127.0.0.1:{laptop}", "--ttl", "3s")
        with intercepting(etcd, tmp_path, *words) as tandem:
            assert tandem.status() == ends.DONE
            assert "its time is over" in tandem.said
        assert left(etcd) == ""
