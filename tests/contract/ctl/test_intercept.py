"""`tandem intercept` over a real etcd, docker-discover and HAProxy: who gets which calls."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.keys import overrides_root
from ctl import ends
from tests.parts.backend import backend, echo
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for

ANNA = ("--header", "x-dev=anna")


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as it:
        yield it


def reach(etcd: Etcd) -> dict[str, str]:
    return {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX}


def run(etcd: Etcd, *words: str, user: str = "anna") -> tuple[int, str]:
    """Run `tandem intercept` to its end; return its exit status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "ctl", "intercept", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **reach(etcd), "LOGNAME": user},
    )
    return done.returncode, done.stdout


class Tandem:
    """`tandem intercept` as a process, and what it has said."""

    def __init__(self, etcd: Etcd, folder: Path, *words: str, user: str = "anna") -> None:
        self._out = folder / f"tandem-{free_port()}"
        command = [sys.executable, "-m", "ctl", "intercept", *words]
        environ = {**os.environ, **reach(etcd), "LOGNAME": user}
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environ
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    def wait_said(self, text: str, within_s: float = 20) -> None:
        wait_for(lambda: text in self.said, within_s, f"tandem says {text!r}")

    def status(self) -> int:
        return self.process.wait(30)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.status()


@contextlib.contextmanager
def intercepting(etcd: Etcd, folder: Path, *words: str, user: str = "anna") -> Iterator[Tandem]:
    tandem = Tandem(etcd, folder, *words, user=user)
    try:
        yield tandem
    finally:
        print(tandem.said)
        tandem.process.kill()
        tandem.process.wait(10)


def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


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
