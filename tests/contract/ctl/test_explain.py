"""`tandem explain` of what is not there, over a real etcd, docker-discover and HAProxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.keys import HoldKey, holds_root, key_of
from ctl import ends
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.shell import Shell
from tests.parts.wait import wait_for


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    door = f"127.0.0.1:{free_port()}"
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1", "--http-bind", door) as it:
        yield it


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


def test_a_service_that_left_is_explained_by_each_of_its_names(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    port = free_port()
    with backend("shop") as at:
        record = local(1, at, port, "shop", mode="http", hosts=("shop.example.com",))
        publish(etcd, record)
        assert tandem("wait", "shop", "--timeout", "20s")[0] == ends.DONE
        for what in ("shop", str(port), f"http://localhost:{port}/a", "http://shop.example.com/b"):
            status, out, err = tandem("explain", what)
            assert (status, "is UP" in out, err) == (ends.DONE, True, ""), (what, out)

        held = key_of(PREFIX, HoldKey("port", str(port)))
        wait_for(lambda: etcd.ctl("get", held), 20, "the port is held")
        withdraw(etcd, record)
        assert tandem("wait", "shop", "--for", "gone", "--timeout", "20s")[0] == ends.DONE

    for what in ("shop", str(port), f"shop:{port}", "shop.example.com"):
        status, out, _ = tandem("explain", what)
        assert status == ends.NO, (what, out)
        assert f"✗ h1  shop has no instance for 0s: the last one was at 127.0.0.1:{at}" in out


def test_what_is_only_held_says_by_whom(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    hold = '{"holder":"orders","since":"2026-05-12T00:00:00Z","v":1}'
    etcd.ctl("put", f"{holds_root(PREFIX)}port/8099", hold)
    status, out, _ = tandem("explain", "8099")
    assert status == ends.NO
    assert "service port 8099 belongs to orders since 2026-05-12T00:00:00Z" in out


def test_what_nobody_has_says_where_it_was_looked_for(
    etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    publish(etcd, local(1, free_port(), free_port(), "orders"))
    tandem("wait", "--for", "revision")
    status, out, err = tandem("explain", "order")
    assert (status, out) == (ends.NOT_FOUND, "")
    assert err.startswith("tandem: nothing here is called order; near: orders")
    assert "no HAProxy of h1 has had it lately" in err


def test_only_the_named_host_counts(
    tmp_path: Path, etcd: Etcd, discover: Discover, tandem: Shell
) -> None:
    with (
        discovering(tmp_path / "e", etcd.endpoint, "--host-id", "h2", "--bind", "127.0.0.2"),
        backend("orders") as at,
    ):
        port = free_port()
        publish(etcd, local(1, at, port, "orders"))
        assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE
        status, out, _ = tandem("explain", "orders", "--from", "host/h2")
        assert status == ends.DONE
        assert "127.0.0.2" in out
        assert "127.0.0.1:" + str(port) not in out
        status, _, err = tandem("explain", "orders", "--from", "h3")
        assert (status, "near: h1, h2" in err or "near: h2, h1" in err) == (ends.NOT_FOUND, True)
