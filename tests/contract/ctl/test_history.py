"""`tandem history`, `watch` and `diff` over a real etcd, docker-discovers and HAProxies."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ctl import ends
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.registrar import Registrar
from tests.parts.shell import Shell
from tests.parts.wait import wait_for


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as it:
        yield it


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


@pytest.fixture
def registrar(etcd: Etcd) -> Iterator[Registrar]:
    it = Registrar(etcd, "r1")
    yield it
    it.close()


def history(tandem: Shell, *words: str) -> list[dict[str, object]]:
    status, out, err = tandem("history", *words, "-o", "ndjson")
    assert status == ends.DONE, err
    return [json.loads(line) for line in out.splitlines()]


def test_a_change_is_told_with_its_cause_and_its_way(
    discover: Discover, registrar: Registrar, tandem: Shell
) -> None:
    with backend("shop") as at:
        started_ms = round(time.time() * 1000) + 1000
        shop = local(1, at, free_port(), "shop", started_ms=started_ms)
        came = registrar.puts(shop)
        tandem("wait", "shop", "--timeout", "20s")
        drains = registrar.puts(replace(shop, state="draining", leaving="stop signal"))
        left = registrar.deletes(shop)
        tandem("wait", "--for", "revision")

        kinds = ("--kinds", "came,left,drain")
        wait_for(lambda: len(history(tandem, "shop", *kinds)) == 3, 10, "three changes")
        found = history(tandem, "shop", *kinds)
        assert [(it["what"], it["revision"], it["cause"]) for it in found] == [
            ("came", came, "started"),
            ("drain", drains, "stop signal"),
            ("left", left, "stop signal"),
        ]
        assert (found[0]["how"], found[0]["applied"]) == ("reload", "1/1")
        assert (found[1]["how"], found[1]["took_ms"] != 0) == ("runtime", True)

        status, out, err = tandem("history", "shop")
        assert (status, err) == (ends.DONE, "")
        assert out.splitlines()[0].split() == [
            *("TIME", "SERVICE", "WHAT", "INSTANCE", "HOST"),
            *("APPLIED", "HOW", "TOOK", "REVISION", "WHY"),
        ]
        assert "stop signal (last instance)" in out


def test_two_moments_are_compared_also_once_etcd_has_forgotten_them(
    etcd: Etcd, discover: Discover, registrar: Registrar, tandem: Shell
) -> None:
    with backend("shop") as at:
        shop, pets = local(1, at, free_port(), "shop"), local(2, at, free_port(), "pets")
        orders = local(3, free_port(), free_port(), "orders")
        registrar.puts(shop)
        registrar.puts(pets)
        tandem("wait", "shop", "--timeout", "20s")
        begin = registrar.puts(orders)
        registrar.deletes(pets)
        registrar.puts(replace(shop, weight=5))
        registrar.deletes(orders)
        end = registrar.puts(orders)
        tandem("wait", "--for", "revision")

        def told(*words: str) -> list[list[str]]:
            status, out, _ = tandem("diff", *words, "--no-headers")
            assert status == ends.DONE
            return [line.split()[:3] for line in out.splitlines()]

        expected = [["left", "pets", "pets-2"], ["changed", "shop", "shop-1"]]
        assert told(str(begin), str(end)) == expected
        assert told(str(end)) == []
        wait_for(lambda: len(history(tandem, "--since", str(begin))) > 3, 10, "it is kept")

        etcd.ctl("compact", str(end))
        assert sorted(told(str(begin), str(end))) == sorted(
            [["changed", "orders", "orders-3"], *expected]
        )
        assert "compacted" in tandem("diff", str(begin))[2]
        assert tandem("diff", str(end), str(begin))[0] == ends.WRONG_USE
        assert tandem("diff", "7d")[0] == ends.NOT_FOUND


def test_haproxy_cfg_is_printed_as_it_is_and_as_it_was(
    etcd: Etcd, discover: Discover, registrar: Registrar, tandem: Shell
) -> None:
    with backend("shop") as at, backend("new") as other:
        shop = local(1, at, free_port(), "shop")
        then = registrar.puts(shop)
        tandem("wait", "shop", "--timeout", "20s")
        registrar.deletes(shop)
        now = registrar.puts(local(2, other, shop.service_port or 0, "shop"))
        tandem("wait", "--for", "revision")

        status, out, err = tandem("render")
        assert (status, err) == (ends.DONE, "")
        assert f"127.0.0.1:{other}" in out
        lines = discover.haproxy.config.read_text().splitlines()
        assert len(out.splitlines()) == len(lines)

        status, out, err = tandem("render", "--at", str(then))
        assert (status, "of today" in err) == (ends.DONE, True)
        assert f"127.0.0.1:{at}" in out
        assert f"127.0.0.1:{other}" not in out

        status, out, _ = tandem("show", "shop", "--at", str(then))
        assert (status, f"127.0.0.1:{at}" in out) == (ends.DONE, True)
        assert f"127.0.0.1:{other}" not in out
        assert tandem("show", "nobody", "--at", str(then))[0] == ends.NOT_FOUND

        etcd.ctl("compact", str(now))
        status, _, err = tandem("show", "shop", "--at", str(then))
        assert (status, "tandem history shop" in err) == (ends.NO, True)
        status, out, err = tandem("render", "--host", "h1", "--at", str(then))
        assert (status, out) == (ends.NO, "")
        assert "compacted" in err
        assert tandem("render", "--host", "h9")[0] == ends.NOT_FOUND


def test_names_and_times_that_are_none(discover: Discover, tandem: Shell) -> None:
    wait_for(lambda: history(tandem, "--kinds", "start"), 10, "its start is told")
    assert tandem("history", "nobody")[0] == ends.NOT_FOUND
    assert tandem("history", "--host", "h9")[0] == ends.NOT_FOUND
    for words in (("--since", "yesterday"), ("--kinds", "weather"), ("--limit", "0")):
        status, out, err = tandem("history", *words)
        assert (status, out) == (ends.WRONG_USE, ""), err
    assert history(tandem, "--since", "999999999") == []


def test_nobody_there_is_unreachable(etcd: Etcd, tandem: Shell) -> None:
    assert tandem("history")[0] == ends.UNREACHABLE
