"""The store on a real etcd: reading, fenced writing, leases."""

import threading
from collections.abc import Iterator

import pytest

from catalog.errors import Conflict
from catalog.store import CHANGES_MAX, Delete, Entry, Event, Fence, Put, Store, Ttl, Unchanged
from tests.parts.etcd import Etcd
from tests.parts.store import Reader

GONE = 0x1234567890  # no etcd gives out this lease


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


def put_all(store: Store, keys: list[str], value: bytes = b"x", lease: int = 0) -> int:
    return store.write([Put(key, value, expected=0) for key in keys], lease=lease)


# Reading


def test_list_is_sorted_and_tells_revision_and_cluster(store: Store) -> None:
    put_all(store, ["/p/b"])
    last = put_all(store, ["/p/a", "/q/a"])

    listing = store.list("/p/")

    assert listing.revision == last
    assert listing.cluster == store.list("/nothing").cluster != 0
    assert listing.entries == (
        Entry("/p/a", b"x", last, last, 0),
        Entry("/p/b", b"x", last - 1, last - 1, 0),
    )


def test_empty_prefix_lists_every_key(store: Store) -> None:
    put_all(store, ["\x01", "a", "\U0010ffff"])

    assert [entry.key for entry in store.list("").entries] == ["\x01", "a", "\U0010ffff"]


@pytest.mark.parametrize("prefix", ["/ÿ", "\x7f", "/a\U0010ffff", "￿", "/p", "\x01", "/a b\n"])
def test_prefix_bounds_what_is_listed(store: Store, prefix: str) -> None:
    following = prefix[:-1] + chr(min(ord(prefix[-1]) + 1, 0x10FFFF))
    put_all(store, [prefix, f"{prefix}\x01", f"{prefix}\U0010ffff", f"!{prefix}"])
    if following != prefix:
        put_all(store, [following])

    assert [entry.key for entry in store.list(prefix).entries] == [
        prefix,
        f"{prefix}\x01",
        f"{prefix}\U0010ffff",
    ]


def test_list_without_values_still_tells_revisions(store: Store) -> None:
    revision = put_all(store, ["/p/a"], b"long")

    assert store.list("/p/", values=False).entries == (Entry("/p/a", b"", revision, revision, 0),)


@pytest.mark.parametrize("page", [1, 2, 10, 11, 5000])
def test_pages_join_without_gap_or_repetition(etcd: Etcd, store: Store, page: int) -> None:
    keys = [f"/p/{number:02}" for number in range(10)]
    put_all(store, keys)
    paging = Store(etcd.access, page=page)

    assert [entry.key for entry in paging.list("/p/").entries] == keys
    paging.close()


def test_all_pages_show_one_revision(etcd: Etcd, store: Store) -> None:
    keys = [f"/p/{number}" for number in range(8)]
    put_all(store, keys, b"0")
    paging = Store(etcd.access, page=1)
    stop = threading.Event()
    writer = threading.Thread(target=rewrite_all, args=(store, keys, stop))
    writer.start()

    listings = [paging.list("/p/") for _ in range(100)]

    stop.set()
    writer.join()
    paging.close()
    assert len({listing.revision for listing in listings}) > 10, (
        "the writer was too slow to disturb"
    )
    assert all(len({entry.value for entry in listing.entries}) == 1 for listing in listings)
    assert all(
        entry.mod_revision <= listing.revision for listing in listings for entry in listing.entries
    )


def rewrite_all(store: Store, keys: list[str], stop: threading.Event) -> None:
    revision = store.list("/p/").revision
    while not stop.is_set():
        revision = store.write(
            [Put(key, str(revision).encode(), revision) for key in keys], lease=0
        )


def test_key_that_is_not_utf8_is_listed_escaped(etcd: Etcd, store: Store) -> None:
    etcd.ctl("put", "/p/\udcff\udcfe", "x")  # Python's way to hand over the bytes ff fe
    etcd.ctl("put", "/p/z", "x")

    assert [entry.key for entry in store.list("/p/").entries] == ["/p/z", "/p/\\xff\\xfe"]


def test_get_finds_one_key_or_none(store: Store) -> None:
    revision = put_all(store, ["/p/a", "/p/ab"])

    assert store.get("/p/a") == Entry("/p/a", b"x", revision, revision, 0)
    assert store.get("/p/") is None


# Writing


def test_write_is_one_transaction(store: Store) -> None:
    first = put_all(store, ["/p/old", "/p/gone"])

    second = store.write(
        [Put("/p/new", b"1", 0), Put("/p/old", b"2", first), Delete("/p/gone", first)],
        lease=0,
    )

    assert second == first + 1
    assert store.list("/p/").entries == (
        Entry("/p/new", b"1", second, second, 0),
        Entry("/p/old", b"2", first, second, 0),
    )


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (Put("/p/here", b"2", expected=0), "/p/here has mod_revision {here}, expected 0"),
        (Put("/p/here", b"2", expected=1), "/p/here has mod_revision {here}, expected 1"),
        (Put("/p/away", b"2", expected=7), "/p/away has mod_revision 0, expected 7"),
        (Delete("/p/here", expected=1), "/p/here has mod_revision {here}, expected 1"),
        (Delete("/p/away", expected=7), "/p/away has mod_revision 0, expected 7"),
    ],
)
def test_other_revision_than_expected_writes_nothing(
    store: Store, change: Put | Delete, seen: str
) -> None:
    here = put_all(store, ["/p/here"])

    with pytest.raises(Conflict) as conflict:
        store.write([Put("/p/other", b"", 0), change], lease=0)

    assert str(conflict.value) == f"write 2 changes: {seen.format(here=here)}"
    assert [entry.mod_revision for entry in store.list("/p/").entries] == [here]


def test_write_behind_a_good_fence_happens(store: Store) -> None:
    owner = put_all(store, ["/owner"])

    store.write([Put("/p/a", b"x", 0)], lease=0, fence=Fence("/owner", owner))

    assert store.get("/p/a") is not None


@pytest.mark.parametrize("owner", ["replaced", "deleted"])
def test_write_behind_a_lost_fence_conflicts(store: Store, owner: str) -> None:
    fence = Fence("/owner", put_all(store, ["/owner"]))
    change = (
        Put("/owner", b"other", fence.mod_revision)
        if owner == "replaced"
        else Delete("/owner", fence.mod_revision)
    )
    store.write([change], lease=0)

    with pytest.raises(Conflict, match="/owner has mod_revision"):
        store.write([Put("/p/a", b"x", 0)], lease=0, fence=fence)

    assert store.get("/p/a") is None


def test_write_while_nothing_was_put_under_a_prefix_happens(store: Store) -> None:
    put_all(store, ["/q/a", "/q/b"])
    listed = store.list("/q/")
    put_all(store, ["/p/elsewhere"])
    store.write([Delete("/q/a", listed.entries[0].mod_revision)], lease=0)  # frees only

    store.write([Put("/q/c", b"x", 0)], lease=0, fence=Unchanged("/q/", listed.revision))
    store.write(
        [Put("/r/a", b"x", 0)], lease=0, fence=Unchanged("/r/", listed.revision)
    )  # nothing is there at all

    assert [entry.key for entry in store.list("").entries] == [
        "/p/elsewhere",
        "/q/b",
        "/q/c",
        "/r/a",
    ]


@pytest.mark.parametrize("other", ["new", "written again", "replaced"])
def test_write_after_something_was_put_under_a_prefix_conflicts(store: Store, other: str) -> None:
    first = put_all(store, ["/q/a"])
    listed = store.list("/q/")
    if other == "new":
        put_all(store, ["/q/b"])
    else:
        if other == "replaced":
            store.write([Delete("/q/a", first)], lease=0)
            first = 0
        store.write([Put("/q/a", b"y", first)], lease=0)

    with pytest.raises(Conflict, match=f"/q/ was written after revision {listed.revision}"):
        store.write([Put("/q/c", b"x", 0)], lease=0, fence=Unchanged("/q/", listed.revision))

    assert store.get("/q/c") is None


def test_owner_deletes_its_own_fence(store: Store) -> None:
    revision = put_all(store, ["/owner", "/p/a"])

    store.write(
        [Delete("/p/a", revision), Delete("/owner", revision)],
        lease=0,
        fence=Fence("/owner", revision),
    )

    assert store.list("").entries == ()


def test_largest_write_fits_with_a_fence(store: Store) -> None:
    fence = Fence("/owner", put_all(store, ["/owner"]))

    store.write(
        [Put(f"/p/{number}", b"x", 0) for number in range(CHANGES_MAX)], lease=0, fence=fence
    )
    unchanged = Unchanged("/q/", store.list("/q/").revision)
    store.write(
        [Put(f"/q/{number}", b"x", 0) for number in range(CHANGES_MAX)], lease=0, fence=unchanged
    )

    assert len(store.list("/p/").entries) == CHANGES_MAX


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [Put(f"/p/{number}", b"", 0) for number in range(CHANGES_MAX + 1)],
        [Put("/p/a", b"", 0), Delete("/p/a", 0)],
        [Put("", b"", 0)],
        [Put("/p/a", bytes(2_000_000), 0)],
    ],
    ids=["none", "too many", "one key twice", "empty key", "too large"],
)
def test_write_that_no_etcd_takes_is_a_bug(store: Store, changes: list[Put | Delete]) -> None:
    with pytest.raises(ValueError):
        store.write(changes, lease=0)

    assert store.list("").entries == ()


# Leases


def test_keys_stand_under_their_lease(store: Store) -> None:
    lease = store.grant(30)

    put_all(store, ["/p/a"], lease=lease)

    entry = store.get("/p/a")
    assert entry is not None
    assert entry.lease == lease


def test_keep_alive_renews_to_the_granted_ttl(store: Store) -> None:
    lease = store.grant(30)

    assert store.keep_alive(lease) == 30
    assert store.time_to_live(lease) in (Ttl(29, 30), Ttl(30, 30))


def test_lease_that_is_gone(store: Store) -> None:
    assert store.keep_alive(GONE) == 0
    assert store.time_to_live(GONE) is None
    store.revoke(GONE)
    with pytest.raises(Conflict, match=f"lease {GONE:x} is gone"):
        put_all(store, ["/p/a"], lease=GONE)
    assert store.get("/p/a") is None


def test_revoke_deletes_the_keys_of_the_lease(store: Store) -> None:
    lease = store.grant(30)
    put_all(store, ["/p/a", "/p/b"], lease=lease)
    put_all(store, ["/p/c"])

    store.revoke(lease)

    assert [entry.key for entry in store.list("/p/").entries] == ["/p/c"]
    assert store.keep_alive(lease) == 0


def test_expired_lease_is_one_batch(etcd: Etcd, store: Store) -> None:
    keys = [f"/p/{number:03}" for number in range(100)]
    revision = put_all(store, keys, lease=store.grant(1))

    with Reader(store.watch("/p/", revision)) as reader:
        batch = reader.batch(within_s=15)

    assert batch.revision == revision + 1
    assert sorted(batch.events, key=lambda event: event.key) == [
        Event(key, None, revision + 1) for key in keys
    ]
