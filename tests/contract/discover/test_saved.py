"""The snapshot on disk: what docker-discover does at its start without etcd, or with a file that is
no good.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.records.record import Instance
from discover.snapshot.saved_file import SavedFile
from discover.snapshot.saved_format import Origin, _seal
from discover.snapshot.state import State, started
from tests.parts import records
from tests.parts.backend import backend
from tests.parts.discover import Discover
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.hosts import LeasedHost
from tests.parts.ports import free_port
from tests.parts.records import instance, snapshot
from tests.parts.wait import wait_for


@contextlib.contextmanager
def running(folder: Path, etcd: Etcd) -> Iterator[Discover]:
    folder.parent.chmod(0o755)
    folder.mkdir(exist_ok=True)
    with Discover(folder, etcd.endpoint) as it:
        yield it


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with running(tmp_path / "discover", etcd) as it:
        yield it


def local(number: int, port: int, service_port: int, service: str = "whoami") -> Instance:
    """Return the record of an http instance on loopback."""
    return records.local(number, port, service_port, service, mode="http")


def saved(discover: Discover, text: str) -> Path:
    """Return the snapshot, once it has a text."""
    path = discover.folder / "snapshot"
    wait_for(lambda: text in path.read_text(), 10, f"the snapshot has {text}")
    return path


def serve(etcd: Etcd, discover: Discover, port: int, to: int) -> LeasedHost:
    host = LeasedHost(etcd, "h1").claim().put(local(1, to, port))
    wait_for(lambda: get(port)[0] == 200, 15, "it answers")
    saved(discover, "000000000001:8000")
    return host


def off(discover: Discover) -> None:
    """Power off: everything of it is gone but its files."""
    discover.kill()
    discover.haproxy.end()


@pytest.mark.parametrize("lost", ["", "haproxy.cfg"])
def test_a_boot_with_etcd_down_serves_within_three_seconds(
    etcd: Etcd, discover: Discover, lost: str
) -> None:
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, port, one)
        etcd.kill()
        off(discover)
        (discover.folder / (lost or "nothing")).unlink(missing_ok=True)

        discover.start()
        started_s = time.monotonic()
        wait_for(lambda: get(port) == (200, "one"), 15, "it serves")
        # HAProxy's own start is part of it; the machine may be full of other tests.
        took_s = time.monotonic() - started_s
        assert took_s < 3 + interpreter_s(), f"{took_s:.1f} s"

        etcd.start()
        discover.wait_ready()
        assert get(port) == (200, "one")


def interpreter_s() -> float:
    """How long this machine takes now to import what docker-discover imports: no part of what is
    measured.
    """
    started_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "import discover.__main__"], check=True)
    return time.monotonic() - started_s


def test_a_port_that_another_program_took_does_not_keep_the_rest_down_without_etcd(
    etcd: Etcd, discover: Discover
) -> None:
    port, taken = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        host = serve(etcd, discover, port, one)
        host.put(local(2, two, taken, "other"))
        wait_for(lambda: get(taken)[0] == 200, 15, "the other answers")
        saved(discover, "000000000002:8000")
        etcd.kill()
        off(discover)

        with contextlib.closing(socket.create_server(("127.0.0.1", taken))):
            discover.start()
            wait_for(lambda: get(port) == (200, "one"), 20, "it serves what it can")


@pytest.mark.parametrize(
    "how", ["cut", "flipped", "empty", "other version", "other prefix", "a folder"]
)
def test_a_snapshot_that_is_no_good_is_ignored_with_one_line(
    etcd: Etcd, discover: Discover, how: str
) -> None:
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, port, one)
        off(discover)
        spoil(discover.folder / "snapshot", how)

        discover.start()

        wait_for(lambda: get(port) == (200, "one"), 15, "it serves what etcd says")
        discover.wait_ready()
        lines = [line for line in discover.log.splitlines() if "asking etcd" in line]
        assert len(lines) == 1, lines
        assert "Traceback" not in discover.log


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    changed = {
        "cut": content[:-20],
        "flipped": content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
        "empty": b"",
        "other version": content.replace(b"tandem-snapshot 1 ", b"tandem-snapshot 9 "),
    }
    if how == "a folder":
        path.unlink()
        path.mkdir()
    elif how == "other prefix":
        path.write_bytes(content.partition(b"\n")[2].replace(b"/services", b"/elsewhere"))
        reseal(path)
    else:
        path.write_bytes(changed[how])


def reseal(path: Path) -> None:
    body = path.read_bytes()
    path.write_bytes(_seal(body).encode() + body)


def test_an_empty_etcd_does_not_replace_a_good_configuration(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, port, one)
        off(discover)
        (discover.folder / "snapshot").unlink()
        config = (discover.folder / "haproxy.cfg").read_bytes()
        etcd.kill()
        etcd.wipe()
        etcd.start()

        discover.start()
        wait_for(lambda: get(port) == (200, "one"), 15, "HAProxy runs from its file")
        wait_for(lambda: "etcd" not in get(discover.metrics, "/readyz")[1], 15, "etcd has answered")
        end_s = time.monotonic() + 5
        wait_for(
            lambda: time.monotonic() > end_s and get(port) == (200, "one"), 15, "it still does"
        )
        assert (discover.folder / "haproxy.cfg").read_bytes() == config

        LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        discover.wait_ready()
        assert get(port) == (200, "one")


def test_what_was_deleted_while_nobody_looked_is_gone_and_what_expired_long_ago_too(
    etcd: Etcd, discover: Discover
) -> None:
    ports = [free_port() for _ in range(3)]
    with backend("one") as one, backend("two") as two, backend("three") as three:
        host = serve(etcd, discover, ports[0], one)
        host.put(local(2, two, ports[1], "deleted"))
        other = LeasedHost(etcd, "h2").claim().put(local(3, three, ports[2], "expired"))
        wait_for(lambda: get(ports[2])[0] == 200, 15, "all answer")
        snapshot = saved(discover, "000000000003:8000")
        discover.kill()
        host.delete(local(2, two, ports[1], "deleted"))
        other.expire()
        long_ago = time.time() - 3600
        os.utime(snapshot, (long_ago, long_ago))

        discover.start()
        discover.wait_ready()

        wait_for(lambda: not is_called(ports[1]) and not is_called(ports[2]), 10, "both are gone")
        assert get(ports[0]) == (200, "one")


def is_called(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        return get(port)[0] == 200
    return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a quarter of a megabyte."""
    (folder := tmp_path / "small").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_snapshot_and_is_said_once(small_disk: Path) -> None:
    file, state = SavedFile(small_disk / "snapshot", Origin("me", "/services", ("e1",))), known(1)
    assert file.save(state)
    before = (small_disk / "snapshot").read_bytes()
    with contextlib.suppress(OSError), (small_disk / "filling").open("wb", buffering=0) as filling:
        while True:
            filling.write(b"x" * 4096)

    assert not file.save(known(300))
    assert not file.save(known(300))
    assert (small_disk / "snapshot").read_bytes() == before
    assert [path.name for path in small_disk.iterdir() if path.name != "filling"] == ["snapshot"]

    (small_disk / "filling").unlink()
    assert file.save(known(300))
    found = file.load()
    assert found is not None
    assert len(found.saved.catalog.records) == 300


def known(count: int) -> State:
    return started(snapshot(*(instance(number) for number in range(1, count + 1))), {})


def test_idle_writes_nothing(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        host = serve(etcd, discover, port, one)
        snapshot = discover.folder / "snapshot"
        before = snapshot.stat()

        host.put(local(1, one, port))  # the same once more is no change
        LeasedHost(etcd, "h2").claim()
        saved(discover, '"h2"')
        after = snapshot.stat()
        end_s = time.monotonic() + 3
        wait_for(lambda: time.monotonic() > end_s, 10, "three seconds pass")

        assert snapshot.stat().st_ino == after.st_ino != before.st_ino
