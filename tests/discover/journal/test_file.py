"""The journal's file survives what ends a process or damages a file, and stays small."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import discover.journal.file
from catalog.asking.journal import Line
from discover.journal.file import Broken, JournalFile, Query, Unkept, read, revision_at
from discover.journal.proxy_story import Applied
from tests.parts.wait import wait_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def line(id_: int, **fields: object) -> Line:
    at_ms = round(time.time() * 1000)
    known: dict[str, object] = {"what": "came", "revision": id_, "at_ms": at_ms, "id": id_}
    return Line(**(known | fields))  # type: ignore[arg-type]


def test_what_is_added_is_read_newest_first(path: Path) -> None:
    file = JournalFile(path)
    file.add([line(1, service="a"), line(2, service="b", cause="died")])
    file.add([line(3)], [Applied(2, "runtime", 21)])
    found = read(path, Query())
    assert [it.id for it in found] == [3, 2, 1]
    assert (found[1].how, found[1].took_ms, found[1].cause) == ("runtime", 21, "died")
    assert file.last_id() == 3
    file.close()


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (Query(since=2), [4, 3]),
        (Query(names=("shop",)), [1]),
        (Query(names=("sho*", "h2")), [3, 1]),
        (Query(names=("host/h2",)), [3]),
        (Query(names=("whoami-4",)), [4]),
        (Query(names=("00ab",)), [2]),
        (Query(before=3), [2, 1]),
        (Query(after=3), [4]),
        (Query(limit=1), [4]),
        (Query(since_ms=1 << 61), []),
    ],
)
def test_a_query_chooses(path: Path, query: Query, ids: list[int]) -> None:
    file = JournalFile(path)
    lines = [line(1, service="shop"), line(2, instance="00ab:80"), line(3, host="h2")]
    file.add([*lines, line(4, name="whoami-4")])
    assert [it.id for it in read(path, query)] == ids
    file.close()


def test_it_knows_the_revision_of_a_time(path: Path) -> None:
    file = JournalFile(path)
    file.add([line(1, at_ms=10_000), line(2, at_ms=20_000)])
    assert revision_at(path, 15_000) in (1, None)  # None: it was trimmed, being so old
    file.close()
    assert revision_at(path.with_name("none"), 1) is None
    assert read(path.with_name("none"), Query()) == []


def test_it_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover.journal.file, "LINES_MAX", 20)
    monkeypatch.setattr(discover.journal.file, "TRIM_EVERY", 10)
    file = JournalFile(path)
    old_ms = round((time.time() - 8 * 86400) * 1000)
    file.add([line(1, at_ms=old_ms), line(2)])
    assert [it.id for it in read(path, Query())] == [2]
    for number in range(3, 60):
        file.add([line(number)])
    assert 20 <= len(read(path, Query(limit=100))) < 31
    file.close()


@pytest.mark.parametrize("content", [b"no journal at all", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_broken_file_is_moved_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    file = JournalFile(path)
    with pytest.raises(Broken):
        file.last_id()

    assert file.move_aside().read_bytes() == content
    file.add([line(1)])
    assert [it.id for it in read(path, Query())] == [1]
    file.close()


def test_a_file_of_another_version_is_broken(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(Broken, match="another version"):
        JournalFile(path).last_id()


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unkept, match="unable to open"):
        JournalFile(tmp_path / "none" / "journal").last_id()


WRITER = """
import sys, time
from pathlib import Path
from catalog.asking.journal import Line
from discover.journal.file import JournalFile
file, number = JournalFile(Path(sys.argv[1])), 0
number = file.last_id()
while True:
    lines = [Line(what="came", revision=number + n, at_ms=round(time.time() * 1000), id=number + n)
             for n in (1, 2, 3)]
    file.add(lines)
    number += 3
"""


def test_a_writer_that_is_killed_leaves_whole_batches(path: Path) -> None:
    """At any moment: the kill comes wherever the writer is by then."""
    for life in range(1, 6):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) as writer:
            wait_for(lambda life=life: len(seen(path)) > 30 * life, 20, "it writes")  # type: ignore[misc]
            writer.send_signal(signal.SIGKILL)
        found = [it.id for it in read(path, Query(limit=100_000))]
        assert found == list(range(len(found), 0, -1))
        assert len(found) % 3 == 0


def seen(path: Path) -> list[Line]:
    try:
        return read(path, Query(limit=100_000))
    except Unkept:
        return []  # it is only being made
