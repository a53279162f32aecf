"""The inbox: what stands is readable, has a lease, and is not too much."""

from catalog.asking.ask import Ask, encode
from catalog.asking.inbox import STANDING_MAX, Inbox
from catalog.entries import Entry, Event

ROOT = "/services/v1/asks/"


def entry(id_: str, value: bytes | None = None, revision: int = 5, lease: int = 9) -> Entry:
    value = encode(Ask("explain", id_)) if value is None else value
    return Entry(ROOT + id_, value, revision, revision, lease)


def inbox() -> tuple[Inbox, list[int]]:
    woken: list[int] = []
    return Inbox("/services", lambda: woken.append(1)), woken


def test_a_listing_replaces_and_events_change() -> None:
    box, woken = inbox()
    box.listed([entry("a"), Entry("/services/v1/hosts/h/owner", b"", 1, 1, 1)])
    assert [each.id for each in box.standing()] == ["a"]

    new = entry("b", revision=6)
    box.changed([Event(new.key, new, 6)])
    assert [(each.id, each.revision, each.lease) for each in box.standing()] == [
        ("a", 5, 9),
        ("b", 6, 9),
    ]

    box.changed([Event(ROOT + "a", None, 7)])
    assert [each.id for each in box.standing()] == ["b"]
    box.listed([])
    assert box.standing() == ()
    assert len(woken) == 4


def test_what_is_no_question_wakes_nobody() -> None:
    box, woken = inbox()
    box.listed([])
    box.changed([Event("/services/v1/hosts/h/owner", None, 7)])
    assert not woken
    assert not box.is_asked


def test_what_cannot_be_read_or_never_ends_costs_itself_alone() -> None:
    box, _ = inbox()
    bad = [entry("b", b"{"), entry("c", lease=0), entry("d/e"), entry("X")]
    box.listed([*bad, entry("a")])
    assert [each.id for each in box.standing()] == ["a"]


def test_a_flood_is_bounded() -> None:
    box, _ = inbox()
    flood = [entry(f"a{number}") for number in range(10_000)]
    box.changed([Event(each.key, each, 5) for each in flood])
    assert len(box.standing()) == STANDING_MAX
    box.listed(flood)
    assert len(box.standing()) == STANDING_MAX


def test_questions_without_a_lease_take_no_place() -> None:
    box = Inbox("/services", lambda: None)
    box.listed([entry(f"n{number}", lease=0) for number in range(STANDING_MAX)])

    box.changed([Event(ROOT + "a", entry("a"), 5)])

    assert [each.id for each in box.standing()] == ["a"]
