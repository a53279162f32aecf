"""The watch on a real etcd: complete, in order, resumable, and ending when asked."""

from collections.abc import Iterator

import pytest

from catalog.errors import Compacted, Unavailable
from catalog.store import Batch, Delete, Entry, Event, Put, Store
from tests.parts.etcd import Etcd
from tests.parts.store import Reader
from tests.parts.wait import let_pass


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as running:
        yield running


@pytest.fixture
def store(etcd: Etcd) -> Iterator[Store]:
    opened = Store(etcd.access)
    yield opened
    opened.close()
    etcd.resume()
    etcd.ctl("del", "", "--prefix")  # tests share one etcd


def put(store: Store, key: str, value: bytes = b"x") -> int:
    return store.write([Put(key, value, expected=0)], lease=0)


def test_changes_come_as_one_batch_for_each_transaction(store: Store) -> None:
    before = store.list("/p/").revision
    with Reader(store.watch("/p/", before)) as reader:
        first = store.write(
            [Put("/p/a", b"1", 0), Put("/p/b", b"2", 0), Put("/q", b"3", 0)], lease=0
        )
        assert reader.batch() == Batch(
            first,
            (
                Event("/p/a", Entry("/p/a", b"1", first, first, 0), first),
                Event("/p/b", Entry("/p/b", b"2", first, first, 0), first),
            ),
        )

        second = store.write([Delete("/p/a", first)], lease=0)
        assert reader.batch() == Batch(second, (Event("/p/a", None, second),))


def test_watch_begins_after_the_listed_revision(store: Store) -> None:
    put(store, "/p/listed")
    listed = store.list("/p/").revision
    missed = put(store, "/p/between")

    with Reader(store.watch("/p/", listed)) as reader:
        assert [(event.key, event.revision) for event in reader.batch().events] == [
            ("/p/between", missed)
        ]


@pytest.mark.parametrize("prefix", ["", "/ÿ", "/a\U0010ffff", "/p"])
def test_prefix_bounds_what_is_watched(store: Store, prefix: str) -> None:
    with Reader(store.watch(prefix, store.list("").revision)) as reader:
        if prefix:
            put(store, f"!{prefix}")
        put(store, f"{prefix}\x01")
        put(store, f"{prefix}\U0010ffff")

        assert [event.key for event in reader.events(2)] == [f"{prefix}\x01", f"{prefix}\U0010ffff"]


def test_key_that_is_not_utf8_is_watched_escaped(etcd: Etcd, store: Store) -> None:
    with Reader(store.watch("/p/", store.list("/p/").revision)) as reader:
        etcd.ctl("put", "/p/\udcff", "x")  # Python's way to hand over the byte ff

        assert [event.key for event in reader.batch().events] == ["/p/\\xff"]


def test_long_history_comes_complete(store: Store) -> None:
    before = store.list("").revision
    # 6 MB in 1500 revisions: more than etcd puts in one response (1000 revisions) or in one
    # fragment of it (1.5 MiB)
    for number in range(1500):
        put(store, f"/p/{number:04}", bytes(4000))

    with Reader(store.watch("/p/", before)) as reader:
        events = reader.events(1500)

    assert len(store.list("/p/").entries) == 1500, (
        "6 MB in one page, more than grpc takes by default"
    )
    assert [event.key for event in events] == [f"/p/{number:04}" for number in range(1500)]
    assert [event.revision for event in events] == list(range(before + 1, before + 1501))


def test_compacted_start_is_said(etcd: Etcd, store: Store) -> None:
    start = put(store, "/p/a")
    put(store, "/p/b")
    etcd.ctl("compact", str(put(store, "/p/c")))

    watch = store.watch("/p/", start)
    with pytest.raises(Compacted, match=f"from revision {start + 1}"):
        next(watch)

    assert list(watch) == []
    with Reader(store.watch("/p/", store.list("/p/").revision)) as reader:
        put(store, "/p/d")
        assert reader.batch().events[0].key == "/p/d"


def test_cancel_ends_an_iteration_that_waits(store: Store) -> None:
    watch = store.watch("/p/", store.list("/p/").revision)
    reader = Reader(watch)

    watch.cancel()

    assert reader.ends_within(1)
    assert reader.error is None
    assert list(watch) == []
    watch.cancel()


def test_closing_the_store_ends_its_watch(store: Store) -> None:
    reader = Reader(store.watch("/p/", store.list("/p/").revision))

    store.close()

    assert reader.ends_within(1)
    assert reader.error is None


def test_cancel_at_any_moment_ends_the_iteration(store: Store) -> None:
    revision = store.list("/p/").revision
    for round_number in range(40):
        watch = store.watch("/p/", revision)
        reader = Reader(watch)
        let_pass(round_number / 4000)  # spread over asking, `created`, and waiting

        watch.cancel()

        assert reader.ends_within(2)
        assert reader.error is None


def test_quiet_watch_lives_and_writes_nothing(etcd: Etcd, store: Store) -> None:
    before = etcd.revision()
    with Reader(store.watch("/p/", before)) as reader:
        # Past the question after 5 s of silence.
        assert not reader.ends_within(6), reader.error
        assert etcd.revision() == before

        put(store, "/p/a")
        assert reader.batch(within_s=1).revision == before + 1


def test_watch_goes_on_exactly_after_etcd_was_killed(etcd: Etcd, store: Store) -> None:
    revision = store.list("/p/").revision
    written: list[str] = []
    seen: list[str] = []
    for round_number in range(3):
        reader = Reader(store.watch("/p/", revision))
        for number in range(10):
            written.append(f"/p/{round_number}-{number}")
            put(store, written[-1])
        events = reader.events(5)  # those of the others that came are asked for again
        seen += [event.key for event in events]
        revision = events[-1].revision

        etcd.kill()

        assert reader.ends_within(5)
        assert isinstance(reader.error, Unavailable)
        etcd.start()

    with Reader(store.watch("/p/", revision)) as reader:
        seen += [event.key for event in reader.events(len(written) - len(seen))]
    assert seen == written


def test_etcd_that_falls_silent_is_noticed(etcd: Etcd, store: Store) -> None:
    revision = store.list("/p/").revision
    with Reader(store.watch("/p/", revision)) as reader:
        put(store, "/p/a")
        reader.batch()

        etcd.pause()

        assert reader.ends_within(10)
        assert isinstance(reader.error, Unavailable)
    etcd.resume()

    with Reader(store.watch("/p/", revision + 1)) as reader:
        put(store, "/p/b")
        assert [event.key for event in reader.events(1)] == ["/p/b"]
