"""What etcd showed becomes one line for each change, with its revision and its cause."""

from dataclasses import replace

import pytest

from catalog.asking.journal import Line
from catalog.entries import Batch, Entry, Event, Listing
from catalog.keys import DrainedKey, OverrideKey, OwnerKey, PortKey, key_of
from catalog.overrides.override import Override
from catalog.overrides.override import encode as override_value
from catalog.records.port_claim import encode as port_value
from catalog.records.record import Instance, encode
from discover.journal.catalog_story import CatalogStory
from discover.snapshot.departures import in_batch, in_listing
from discover.snapshot.etcd_watch import Seen
from discover.snapshot.snapshot import Snapshot, apply, snapshot_of
from discover.snapshot.state import State, learn
from tests.parts.records import PREFIX, instance, key

OWNER = key_of(PREFIX, OwnerKey("h1"))


def put(text: str, value: bytes, revision: int, created: int | None = None) -> Event:
    return Event(text, Entry(text, value, created or revision, revision, 7), revision)


def record(it: Instance, revision: int, created: int | None = None) -> Event:
    return put(key(it), encode(it), revision, created)


def gone(text: str, revision: int) -> Event:
    return Event(text, None, revision)


class Etcd:
    """What a docker-discover sees of an etcd, and what its journal makes of it."""

    def __init__(self) -> None:
        self.story = CatalogStory(PREFIX)
        owner = Entry(OWNER, b"x", 2, 2, 7)
        self.catalog: Snapshot = snapshot_of(PREFIX, Listing(1, 2, (owner,)))
        self.now_s = 1000.0

    def shows(self, *events: Event) -> list[Line]:
        before = self.catalog
        batch = Batch(max(event.revision for event in events), events)
        self.catalog = apply(PREFIX, before, batch)
        departures = in_batch(PREFIX, before, batch, self.catalog)
        self.now_s += 60
        seen = Seen(before, self.catalog, events, departures, self.now_s, is_new=True)
        return self.story.seen(seen, 5)


def told(lines: list[Line]) -> list[tuple[str, int, str]]:
    return [(line.what, line.revision, line.cause) for line in lines]


DRAINING = replace(instance(1), state="draining", leaving="stop signal")


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (instance(1), gone(key(instance(1)), 9), ("left", 9, "died")),
        (DRAINING, gone(key(DRAINING), 9), ("left", 9, "stop signal")),
        (instance(1), record(DRAINING, 9, 5), ("drain", 9, "stop signal")),
        (
            instance(1),
            record(replace(instance(1), state="draining"), 9, 5),
            ("drain", 9, "stop signal, paused or unhealthy"),
        ),
        (
            replace(instance(1), state="draining", leaving="paused"),
            record(instance(1), 9, 5),
            ("undrain", 9, "unpaused"),
        ),
        (instance(1), record(replace(instance(1), weight=5), 9, 5), ("changed", 9, "its settings")),
    ],
)
def test_a_change_has_its_cause(
    before: Instance, event: Event, expected: tuple[str, int, str]
) -> None:
    etcd = Etcd()
    assert told(etcd.shows(record(before, 5))) == [("came", 5, "started")]
    assert told(etcd.shows(event)) == [expected]


def test_what_changed_is_told() -> None:
    etcd = Etcd()
    (line,) = etcd.shows(record(instance(1), 5))
    assert (line.name, line.host, line.detail) == ("whoami-1", "h1", "first instance")
    (line,) = etcd.shows(record(replace(instance(1), weight=5, tags=("x",)), 6, 5))
    assert line.detail == "weight 100 to 5, tags"


def test_the_same_record_again_is_no_change() -> None:
    etcd = Etcd()
    etcd.shows(record(instance(1), 5))
    assert etcd.shows(record(instance(1), 6, 5)) == []


def test_many_changes_in_one_batch_keep_their_revisions() -> None:
    lines = Etcd().shows(
        record(instance(1), 5),
        record(DRAINING, 6, 5),
        gone(key(instance(1)), 7),
        record(instance(1), 8),
    )
    assert told(lines) == [
        ("came", 5, "started"),
        ("drain", 6, "stop signal"),
        ("left", 7, "stop signal"),
        ("came", 8, "started"),
    ]
    details = [line.detail for line in lines]
    assert details == ["first instance", "", "last instance", "first instance"]


def test_the_end_of_a_lease_is_told_with_its_host_and_its_return() -> None:
    etcd = Etcd()
    etcd.shows(record(instance(1), 5))
    lines = etcd.shows(gone(OWNER, 9), gone(key(instance(1)), 9))
    assert told(lines) == [("host-left", 9, "lease ended"), ("suspect", 9, "lease ended")]

    lines = etcd.shows(put(OWNER, b"y", 10), record(instance(1), 11))
    assert told(lines) == [
        ("host-came", 10, "docker-register started"),
        ("came", 11, "its host is back"),
    ]


def test_a_suspect_that_is_dropped_left() -> None:
    etcd = Etcd()
    etcd.shows(record(instance(1), 5))
    before = learn(State(), etcd.catalog, {}, 0.0)
    lost = etcd.catalog
    etcd.shows(gone(OWNER, 9), gone(key(instance(1)), 9))
    suspect = learn(before, etcd.catalog, {key(instance(1)): "expired"}, 1.0)
    assert lost is not etcd.catalog
    after = replace(suspect, suspects={}, dropped={key(instance(1)): "its check fails"})
    (line,) = etcd.story.stepped(suspect, after, 7)
    assert (line.what, line.revision, line.own) == ("left", 9, 1)
    assert line.cause == "lease ended: its check fails"


def test_a_drained_host_is_why_its_instances_go() -> None:
    etcd = Etcd()
    etcd.shows(record(instance(1), 5))
    drained = key_of(PREFIX, DrainedKey("h1"))
    lines = etcd.shows(put(drained, b"{}", 6), gone(key(instance(1)), 7))
    assert told(lines) == [("host-drain", 6, "docker-register"), ("left", 7, "host drained")]
    lines = etcd.shows(gone(drained, 8), record(instance(1), 9))
    assert told(lines)[1] == ("came", 9, "host in service again")


def test_a_port_that_is_assigned_is_told() -> None:
    text = key_of(PREFIX, PortKey("shop"))
    (line,) = Etcd().shows(put(text, port_value(10001), 5))
    assert (line.what, line.service, line.detail) == ("port", "shop", "10001")


def test_an_override_is_told_with_whoever_set_it() -> None:
    etcd = Etcd()
    text = key_of(PREFIX, OverrideKey("whoami", "o1"))
    value = override_value(Override(by="anna", why="slow", weight=5, instance="0" * 11 + "1:8000"))
    (line,) = etcd.shows(put(text, value, 5))
    assert (line.what, line.cause) == ("override", "by anna: slow")
    assert line.detail == "weight 5, of 000000000001:8000"
    assert etcd.shows(put(text, value, 6, 5)) == []
    assert told(etcd.shows(gone(text, 7))) == [("override", 7, "ended")]


def test_a_listing_tells_what_is_other_than_it_was_known() -> None:
    etcd = Etcd()
    etcd.shows(record(instance(1), 5), record(instance(2), 6))
    before = etcd.catalog
    entries = (
        Entry(OWNER, b"x", 2, 2, 7),
        Entry(key(instance(2)), encode(replace(instance(2), weight=1)), 6, 30, 7),
        Entry(key(instance(3)), encode(instance(3)), 31, 31, 7),
    )
    after = snapshot_of(PREFIX, Listing(1, 40, entries))
    seen = Seen(before, after, None, in_listing(before, after), 0.0, is_new=True)

    lines = etcd.story.seen(seen, 5)
    assert told(lines) == [
        ("changed", 30, "its settings"),
        ("came", 31, "started"),
        ("left", 40, "died"),
    ]
    assert lines[-1].after == 6


def test_nothing_is_told_of_what_was_not_known_before() -> None:
    after = snapshot_of(PREFIX, Listing(1, 40, (Entry(key(instance(3)), b"", 31, 31, 7),)))
    seen = Seen(Snapshot(0, {}, {}), after, None, {}, 0.0, is_new=True)
    assert CatalogStory(PREFIX).seen(seen, 5) == []


def test_what_cannot_be_read_is_no_line() -> None:
    etcd = Etcd()
    assert etcd.shows(put(key(instance(1)), b"\xff", 5), put("/elsewhere", b"", 6)) == []
