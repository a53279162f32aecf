"""`tandem ls` over a real etcd, docker-discover and HAProxy: since when, fewer rows, and live."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctl import ends
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.shell import Shell


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


def test_fewer_rows_and_since_when(etcd: Etcd, discover: Discover, tandem: Shell) -> None:
    day_ms = 86_400_000
    three_days_ago = int(time.time() * 1000) - 3 * day_ms
    with backend("orders") as at, backend("pets") as stub:
        publish(
            etcd,
            local(1, at, free_port(), "orders", started_ms=three_days_ago, zone="north"),
            local(2, stub, free_port(), "pets", role="stub", zone="south"),
        )
        assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE
        assert tandem("wait", "pets", "--for", "stub", "--timeout", "20s")[0] == ends.DONE

        assert tandem("ls", "--state", "stubs", "-o", "name")[1] == "pets\n"
        assert tandem("ls", "--zone", "north", "-o", "name")[1] == "orders\n"
        assert tandem("ls", "--sort", "service", "-o", "name")[1] == "orders\npets\n"
        status, out, _ = tandem("ls", "orders", "--no-headers")
        assert (status, len(out.splitlines())) == (ends.DONE, 1)

        status, _, err = tandem("ls", "--state", "stub")
        assert (status, "none of nobody, refused" in err) == (ends.WRONG_USE, True)


def test_live_it_prints_a_block_for_each_change(etcd: Etcd, discover: Discover) -> None:
    command = [sys.executable, "-m", "ctl", "ls", "-W", "--etcd-host", etcd.endpoint]
    with (
        backend("orders") as at,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as live,
    ):
        assert live.stdout is not None
        assert live.stdout.readline().startswith("SERVICE")

        record = local(1, at, free_port(), "orders")
        publish(etcd, record)
        assert live.stdout.readline() == "\n"
        assert live.stdout.readline().startswith("SERVICE")
        assert live.stdout.readline().startswith("orders")

        live.send_signal(2)
        assert live.wait(10) == ends.INTERRUPTED
