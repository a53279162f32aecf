"""The journal is written beside all changes, and what it cannot keep costs only the journal."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.asking.journal import Line
from catalog.entries import Batch, Entry, Event
from catalog.records.record import Instance, encode
from discover.apply.plan import ServerChange
from discover.apply.rollout import Deed, Round
from discover.journal.file import Query, Unkept, read
from discover.journal.proxy_story import Told
from discover.journal.recorder import ITEMS_MAX, Recorder
from discover.snapshot.etcd_watch import Seen
from discover.snapshot.snapshot import Snapshot, apply
from sidecar.status.metrics import Metrics
from sidecar.status.problems import Problem
from tests.parts.records import PREFIX, instance, key
from tests.parts.wait import wait_for


class Site:
    """A journal, and what its docker-discover sees and does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = Metrics()
        self.recorder = Recorder(path, PREFIX, self.metrics)
        self.catalog = Snapshot(1, {}, {}, cluster=1)
        self.now_s = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.recorder.run)
        thread.start()
        try:
            yield
        finally:
            self.recorder.interrupt()
            thread.join(10)

    def publish(self, revision: int, it: Instance) -> None:
        event = Event(key(it), Entry(key(it), encode(it), revision, revision, 7), revision)
        before, self.catalog = (
            self.catalog,
            apply(PREFIX, self.catalog, Batch(revision, (event,))),
        )
        self.recorder.seen(Seen(before, self.catalog, (event,), {}, 0.0, is_new=True))

    def round(
        self,
        *deeds: Deed,
        applied: int | None = None,
        stubbed: tuple[str, ...] = (),
        refused: dict[str, Problem] | None = None,
        reasons: tuple[str, ...] = ("catalog",),
    ) -> None:
        revision = self.catalog.revision
        done = Round(None, revision if applied is None else applied, reasons, deeds)
        told = Told(done, revision, frozenset(stubbed), None, refused or {})
        self.recorder.told(told)

    def lines(self) -> list[Line]:
        return read(self.path, Query())[::-1]

    def wait_lines(self, *what: str) -> list[Line]:
        wait_for(lambda: [line.what for line in seen(self)] == list(what), 10, f"{what}")
        return self.lines()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "journal")
    with site.running():
        yield site


FAR_S = 1e9  # later than any clock that measures here


def runtime(instance_name: str) -> Deed:
    change = ServerChange("shop-80", "slot-1", None, None, instance_name)
    return Deed("shop-80 +x", 0.01, FAR_S, (change,), is_reload=False)


def test_a_change_is_told_with_how_it_came_to_haproxy(site: Site) -> None:
    site.publish(5, instance(1))
    site.round(runtime("000000000001:8000"))
    came, _ = site.wait_lines("came", "start")
    assert (came.how, came.took_ms > 0) == ("runtime", True)


def test_a_change_that_waits_for_a_reload_is_completed_later(site: Site) -> None:
    site.publish(5, instance(1))
    site.round(applied=4)
    assert site.wait_lines("came", "start")[0].how == ""

    site.round(Deed("new frontend shop-80", 0.2, FAR_S), reasons=())
    came, _, reload = site.wait_lines("came", "start", "reload")
    assert came.how == "reload"
    assert (reload.cause, reload.detail, reload.took_ms) == ("catalog", "new frontend shop-80", 200)


def test_what_was_done_without_a_change_of_the_catalog_is_a_line(site: Site) -> None:
    site.round(runtime("x"), reasons=("template",))
    update, _ = site.wait_lines("start", "update")[::-1]
    assert (update.cause, update.detail) == ("template or snippet", "shop-80 +x")


def test_stubs_and_refusals_are_told_when_they_begin_and_end(site: Site) -> None:
    why = {"service shop": Problem("PORT_CLAIMED", "8080 is orders'")}
    site.round(stubbed=("pets",), refused=why)
    site.round()
    lines = site.wait_lines("start", "stub", "refused", "allowed")
    assert [line.service for line in lines[1:]] == ["pets", "shop", "shop"]
    assert (lines[2].cause, lines[2].detail) == ("PORT_CLAIMED", "8080 is orders'")


def test_a_folder_that_cannot_be_written_costs_only_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "later"
    site = Site(folder / "journal")
    caplog.set_level(logging.INFO)
    with site.running():
        site.publish(5, instance(1))
        site.round(runtime("x"))
        wait_for(lambda: lost(site) == 2, 10, "the start and the change are lost")
        site.publish(6, replace(instance(1), weight=6))
        site.round(runtime("x"))
        wait_for(lambda: lost(site) == 3, 10, "one more is lost")
        assert caplog.text.count("the journal cannot be kept, all else goes on") == 1

        folder.mkdir()
        site.publish(7, replace(instance(1), weight=7))
        site.round(runtime("x"))
        assert site.wait_lines("changed", "gap")[1].detail == "3 were lost"
        assert "the journal is kept again" in caplog.text


def lost(site: Site) -> int:
    text = site.metrics.text().decode()
    name = "tandem_discover_journal_lost_lines_total "
    return int(float(text.partition("\n" + name)[2].partition("\n")[0]))


def test_a_damaged_file_is_kept_beside_a_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path / "journal")
    site.path.write_bytes(b"damaged " * 100)
    with site.running():
        site.publish(5, instance(1))
        site.round(runtime("x"))
        wait_for(lambda: len(seen(site)) == 2, 10, "it begins anew")
    assert "the journal was damaged and begins anew" in caplog.text
    assert (tmp_path / "journal.broken").exists()


def seen(site: Site) -> list[Line]:
    try:
        return site.lines()
    except Unkept:
        return []


def test_a_flood_takes_no_more_than_its_room(tmp_path: Path) -> None:
    site = Site(tmp_path / "journal")
    for revision in range(2, ITEMS_MAX + 100):
        site.publish(revision, replace(instance(1), weight=revision % 200))
    assert len(site.recorder._items) == ITEMS_MAX
    with site.running():
        site.round()
        wait_for(lambda: len(seen(site)) == 100, 10, "they are written")
