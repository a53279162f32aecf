"""`tandem tap` over a real etcd, and real docker-discovers with their HAProxies."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog.keys import asks_root
from ctl import ends, program
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for


@contextmanager
def two_hosts(folder: Path, etcd: Etcd) -> Iterator[tuple[Discover, Discover]]:
    """Run two docker-discovers, each at an address of its own."""
    first = ("--host-id", "h1")
    # The later of two --bind counts.
    second = ("--host-id", "h2", "--bind", "127.0.0.2")
    with (
        discovering(folder / "a", etcd.endpoint, *first) as a,
        discovering(folder / "b", etcd.endpoint, *second) as b,
    ):
        yield a, b


@contextmanager
def tapping(etcd: Etcd, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `tandem tap` in the background."""
    flags = ("--etcd-host", etcd.endpoint, "--etcd-prefix", PREFIX, "-o", "ndjson")
    command = [sys.executable, "-m", "ctl", "tap", *words, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tap:
        try:
            yield tap
        finally:
            tap.kill()


def calls_of(tap: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    out, _ = tap.communicate(timeout=30)
    assert tap.returncode == ends.DONE
    return [json.loads(line) for line in out.splitlines()]


def keeps_all(discover: Discover) -> bool:
    return "no option dontlog-normal" in discover.haproxy.config.read_text()


def is_asked(etcd: Etcd) -> bool:
    return bool(etcd.ctl("get", "--prefix", asks_root(PREFIX), "--keys-only").strip())


def test_calls_of_two_hosts_are_shown(tmp_path: Path, etcd: Etcd) -> None:
    port = free_port()
    with backend("orders") as at, two_hosts(tmp_path, etcd) as hosts:
        record = local(1, at, port, "orders", mode="http")
        publish(etcd, record)
        wait_for(lambda: call_both(port), 20, "both call it")

        with tapping(etcd, "orders", "--limit", "2", "--for", "30s") as tap:
            wait_for(lambda: all(map(keeps_all, hosts)), 20, "all calls are kept")
            # A call is seen from a moment after the reload on.
            wait_for(lambda: call_both(port) and tap.poll() is not None, 20, "it ends")
            calls = calls_of(tap)

    assert {call["service"] for call in calls} == {f"orders:{port}"}
    assert {call["name"] for call in calls} == {"orders-1@h1"}
    assert {call["status"] for call in calls} == {200}
    assert {call["from"] for call in calls} <= {"h1", "h2"}


def call_both(port: int) -> bool:
    return all(get(port, host=host)[0] == 200 for host in ("127.0.0.1", "127.0.0.2"))


def test_errors_are_shown_without_a_reload(tmp_path: Path, etcd: Etcd) -> None:
    port = free_port()
    with backend("orders") as at, two_hosts(tmp_path, etcd) as hosts:
        publish(etcd, local(1, at, port, "orders", mode="http"))
        wait_for(lambda: call_both(port), 20, "both call it")
        for discover in hosts:
            discover.wait_said(f"new listen orders:{port}")
        reloads = [discover.reloads() for discover in hosts]

        with tapping(etcd, "--errors", "--limit", "2", "--for", "30s") as tap:
            wait_for(lambda: is_asked(etcd), 10, "it asks")
            wait_for(lambda: said(etcd) == {"h1", "h2"}, 10, "both answer")
            for host in ("127.0.0.1", "127.0.0.2"):
                assert get(port, "/good", host=host)[0] == 200
                assert get(port, "/fail", host=host)[0] == 500
            calls = calls_of(tap)

        assert [discover.reloads() for discover in hosts] == reloads

    assert sorted(call["from"] for call in calls) == ["h1", "h2"]
    assert [(call["path"], call["status"]) for call in calls] == [("/fail", 500)] * 2
    assert {call["end"] for call in calls} == {"complete"}


def said(etcd: Etcd) -> set[str]:
    """Return the hosts that have answered a question that stands."""
    keys = etcd.ctl("get", "--prefix", f"{PREFIX}/said/", "--keys-only").split()
    return {key.split("/said/")[1].split("/")[0] for key in keys if "/answers/" in key}


def test_what_is_not_there_has_near_names(tmp_path: Path, etcd: Etcd, capsys: Any) -> None:
    environ = {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX}
    assert program.run(("tap", "orders"), environ) == ends.UNREACHABLE
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1"):
        publish(etcd, local(1, free_port(), free_port(), "orders"))
        program.run(("wait", "--for", "revision"), environ)
        capsys.readouterr()

        assert program.run(("tap", "order"), environ) == ends.NOT_FOUND
        assert "near: orders" in capsys.readouterr().err
        assert program.run(("tap", "orders", "--host", "h2"), environ) == ends.NOT_FOUND
        assert program.run(("tap", "orders", "--for", "1s", "--errors"), environ) == ends.DONE
        assert capsys.readouterr().out == ""
        assert not is_asked(etcd)
