"""The journal of a real docker-discover: a kill, a full disk, a damaged file cost lines at most."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.asking.journal import Line
from discover.journal.file import Query, Unkept, read
from tests.parts.backend import backend
from tests.parts.discover import Discover, publish
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import instance, local
from tests.parts.wait import wait_for

LOST = "tandem_discover_journal_lost_lines_total "


def lines(discover: Discover, *what: str) -> list[Line]:
    """Return what its journal has of these kinds, the oldest first."""
    try:
        found = read(discover.folder / "journal", Query(limit=100_000))
    except Unkept:
        return []  # it is only being made
    return [line for line in found[::-1] if line.what in what]


def lost(discover: Discover) -> int:
    text = get(discover.metrics, "/metrics")[1]
    return int(float(text.partition("\n" + LOST)[2].partition("\n")[0]))


def test_a_kill_at_any_moment_leaves_it_readable_and_the_next_life_goes_on(
    etcd: Etcd, discover: Discover
) -> None:
    record = instance(1)
    for life in range(1, 4):
        publish(etcd, replace(record, weight=life))
        wait_for(lambda: lines(discover, "came"), 10, "the first change is kept")
        for weight in range(10 * life, 10 * life + 5):
            publish(etcd, replace(record, weight=weight))
        discover.kill()

        kept = len(lines(discover, "came", "changed", "start"))
        discover.start()
        discover.wait_ready()
        wait_for(
            lambda kept=kept: len(lines(discover, "came", "changed", "start")) > kept,  # type: ignore[misc]
            10,
            "the next life goes on",
        )

    assert "the journal was damaged" not in discover.log
    ids = [line.id for line in lines(discover, "came", "changed", "start", "reload", "update")]
    assert ids == sorted(set(ids))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    (folder := tmp_path / "small").mkdir()
    tmp_path.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_costs_lines_and_no_change(small_disk: Path, etcd: Etcd) -> None:
    port = free_port()
    with (
        Discover(small_disk, etcd.endpoint, "--host-id", "h1") as discover,
        backend("one") as one,
        backend("two") as two,
    ):
        publish(etcd, local(1, one, port))
        wait_for(lambda: lines(discover, "came"), 10, "the first change is kept")

        with contextlib.suppress(OSError), (small_disk / "full").open("wb", buffering=0) as full:
            while True:
                full.write(b"x" * 4096)
        # The second instance is called, and the first no more, though nothing can be written.
        publish(etcd, local(2, two, port), local(1, one, port, weight=0))
        wait_for(lambda: get(port) == (200, "two"), 10, "the change is applied")
        weight = iter(range(1, 1000))
        wait_for(lambda: churn(etcd, two, port, next(weight), discover), 30, "lines are lost")
        assert discover.log.count("the journal cannot be kept, all else goes on") == 1

        (small_disk / "full").unlink()
        publish(etcd, local(2, two, port, weight=250))
        wait_for(lambda: lines(discover, "gap"), 20, "it is kept again")
        assert "the journal is kept again" in discover.log
        assert get(port) == (200, "two")


def churn(etcd: Etcd, at: int, port: int, weight: int, discover: Discover) -> bool:
    publish(etcd, local(2, at, port, weight=weight % 200 + 1))
    return lost(discover) > 0


def test_a_damaged_file_is_kept_beside_a_new_one(etcd: Etcd, discover: Discover) -> None:
    publish(etcd, instance(1))
    wait_for(lambda: lines(discover, "came"), 10, "a change is kept")
    discover.kill()
    journal = discover.folder / "journal"
    damaged = b"damaged " * 1000
    journal.write_bytes(damaged)
    # Else it is whole again by what is written ahead.
    for end in ("-wal", "-shm"):
        journal.with_name(f"journal{end}").unlink(missing_ok=True)

    discover.start()
    discover.wait_ready()
    publish(etcd, instance(2))
    wait_for(lambda: lines(discover, "came"), 10, "a new journal begins")
    assert discover.log.count("the journal was damaged and begins anew") == 1
    assert (discover.folder / "journal.broken").read_bytes() == damaged


def test_idle_writes_nothing(etcd: Etcd, discover: Discover) -> None:
    publish(etcd, instance(1))
    wait_for(lambda: lines(discover, "came") and lines(discover, "came")[0].how, 10, "it is told")
    size = (discover.folder / "journal-wal").stat()
    publish(etcd, instance(1))  # the same once more is no change
    wait_for(lambda: discover.applied_revision() == etcd.revision(), 10, "it is seen")
    again = (discover.folder / "journal-wal").stat()
    assert (again.st_size, again.st_mtime_ns) == (size.st_size, size.st_mtime_ns)
