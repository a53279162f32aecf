"""Snapshots: a listing and then batches give what a listing at the later revision would give."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.entries import Batch, Entry, Event, Listing
from catalog.keys import DrainedKey, OverrideKey, OwnerKey, PortKey, PurgeKey, key_of
from catalog.overrides.override import Override, encode
from catalog.records.port_claim import encode as claim_of
from catalog.records.record import Instance
from discover.snapshot.belongs import Claim
from discover.snapshot.snapshot import EMPTY, Snapshot, apply, snapshot_of
from tests.parts.records import PREFIX, entry, instance, snapshot


def put(record: Instance, revision: int) -> Event:
    e = entry(record, created=revision)
    return Event(e.key, e, revision)


def gone(record: Instance, revision: int) -> Event:
    return Event(entry(record).key, None, revision)


def test_a_put_and_a_delete_are_applied() -> None:
    before = snapshot(instance(1))

    after = apply(PREFIX, before, Batch(102, (put(instance(2), 101), gone(instance(1), 102))))

    assert after.revision == 102
    assert [r.instance for r in after.records.values()] == [instance(2)]
    assert [r.instance for r in before.records.values()] == [instance(1)]


def test_events_that_are_in_the_snapshot_already_change_nothing() -> None:
    before = snapshot(instance(1))

    after = apply(PREFIX, before, Batch(100, (gone(instance(1), 100),)))

    assert after.same_as(before)


def test_owners_and_claimed_ports_are_no_records() -> None:
    said = {
        key_of(PREFIX, OwnerKey("h1")): b"{}",
        key_of(PREFIX, PortKey("whoami")): claim_of(10007),
    }
    listing = Listing(1, 5, tuple(Entry(key, value, 3, 4, 0) for key, value in said.items()))

    snapshot = snapshot_of(PREFIX, listing)

    assert (snapshot.records, snapshot.refused, list(snapshot.owners)) == ({}, {}, ["h1"])
    assert snapshot.claims == {"whoami": Claim(10007, created=3)}


@pytest.mark.parametrize("now", [None, b"nonsense"])
def test_a_claim_that_is_deleted_or_no_longer_readable_is_none(now: bytes | None) -> None:
    key = key_of(PREFIX, PortKey("whoami"))
    before = snapshot_of(PREFIX, Listing(1, 5, (Entry(key, claim_of(10007), 3, 3, 0),)))

    entry_now = Entry(key, now, 3, 6, 0) if now else None
    after = apply(PREFIX, before, Batch(6, (Event(key, entry_now, 6),)))

    assert after.claims == {}
    assert list(after.refused) == ([key] if now else [])
    assert not after.same_as(before)


def test_a_host_is_purged_while_its_key_says_so() -> None:
    key = key_of(PREFIX, PurgeKey("h1"))
    purged = snapshot_of(PREFIX, Listing(1, 5, (Entry(key, b"", 1, 1, 0),)))

    assert purged.purged == {"h1"}
    assert not apply(PREFIX, purged, Batch(6, (Event(key, None, 6),))).purged


def test_a_host_is_drained_while_its_mark_stands() -> None:
    key = key_of(PREFIX, DrainedKey("h1"))
    drained = snapshot_of(PREFIX, Listing(1, 5, (Entry(key, b"{}", 1, 1, 0),)))

    assert drained.drained == {"h1"}
    assert not drained.same_as(EMPTY)
    assert not apply(PREFIX, drained, Batch(6, (Event(key, None, 6),))).drained


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("/services/v1/hosts/h1/instances/whoami/000000000001:8000", b"\xff\xfe"),
        ("/services/v1/hosts/h1/instances/whoami/000000000001:8000", b'{"v":99}'),
        ("/services/v1/hosts/h1/instances/whoami/000000000001:8000", b"null"),
        ("/services/v1/hosts/h1/instances/../../etc/passwd", b"{}"),
        ("/services/v1/hosts/h1/instances/a b/000000000001:8000", b"{}"),
        # a record under the name of another service, or of another container
        ("/services/v1/hosts/h1/instances/other/000000000001:8000", entry(instance(1)).value),
        ("/services/v1/hosts/h1/instances/whoami/000000000002:8000", entry(instance(1)).value),
    ],
)
def test_a_bad_record_is_refused_alone(key: str, value: bytes) -> None:
    listing = Listing(1, 9, (Entry(key, value, 1, 1, 0), entry(instance(3))))

    result = snapshot_of(PREFIX, listing)

    assert [r.instance for r in result.records.values()] == [instance(3)]
    assert list(result.refused) == [key]
    assert "\n" not in result.refused[key]


def test_a_bad_record_that_is_mended_or_deleted_is_forgotten() -> None:
    good = entry(instance(1))
    bad = snapshot_of(PREFIX, Listing(1, 9, (Entry(good.key, b"", 1, 1, 0),)))

    mended = apply(PREFIX, bad, Batch(10, (put(instance(1), 10),)))
    deleted = apply(PREFIX, bad, Batch(10, (gone(instance(1), 10),)))

    assert (len(mended.records), mended.refused) == (1, {})
    assert deleted.same_as(EMPTY)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=30), st.integers(0, 30))
def test_listing_and_watching_agree_wherever_one_ends_and_the_other_begins(
    changes: list[tuple[int, bool]], at: int
) -> None:
    events = [
        put(instance(number), revision) if alive else gone(instance(number), revision)
        for revision, (number, alive) in enumerate(changes, start=1)
    ]

    def listed(until: int) -> Listing:
        state = {event.key: event.entry for event in events[:until]}
        return Listing(1, until, tuple(e for e in state.values() if e))

    cut = min(at, len(events))
    mirror = snapshot_of(PREFIX, listed(cut))
    # A resumed watch may bring again what the listing had.
    for event in events[max(0, cut - 3) :]:
        mirror = apply(PREFIX, mirror, Batch(event.revision, (event,)))

    assert mirror.same_as(snapshot_of(PREFIX, listed(len(events))))


def test_overrides_are_kept_by_key_also_those_that_cannot_be_read() -> None:
    key = OverrideKey("whoami", "x")
    text = key_of(PREFIX, key)
    override = Override(by="anna", instance="000000000001:8000", weight=5)
    before = snapshot(instance(1))

    def after(value: bytes | None, revision: int, before: Snapshot = before) -> Snapshot:
        put = Entry(text, value, 101, revision, 0) if value is not None else None
        return apply(PREFIX, before, Batch(revision, (Event(text, put, revision),)))

    stands = after(encode(override), 101)
    assert stands.overrides[key].override == override
    assert not stands.same_as(before)
    assert stands.same_as(after(encode(override), 102, stands)), "written again, it says the same"

    garbled = after(b"{", 103, stands)
    assert "not JSON" in garbled.overrides[key].why_not
    assert (garbled.refused, garbled.services) == ({}, before.services)
    assert after(None, 104, garbled).same_as(before)
