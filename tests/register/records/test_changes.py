"""What is written, in which order, and above all when nothing is."""

from hypothesis import given
from hypothesis import strategies as st

from catalog.entries import Delete, Entry, Put
from register.records.changes import BATCH, Changes, applied, batches, diff

LEASE = 7


def entry(key: str, value: bytes = b"1", revision: int = 5, lease: int = LEASE) -> Entry:
    return Entry(key, value, 1, revision, lease)


def key(container: str = "a", port: int = 80, service: str = "web") -> str:
    return f"/services/v1/hosts/h1/instances/{service}/{container * 12}:{port}"


def test_what_is_new_changed_or_gone() -> None:
    published = {
        key("a"): entry(key("a")),
        key("b"): entry(key("b")),
        key("c"): entry(key("c"), revision=9),
    }
    desired = {key("a"): b"1", key("b"): b"2", key("d"): b"3"}

    changes = diff(published, desired, LEASE)

    assert changes == Changes(
        (Put(key("b"), b"2", 5), Put(key("d"), b"3", 0)), (Delete(key("c"), 9),)
    )


def test_a_key_under_another_lease_is_put_again() -> None:
    published = {key(): entry(key(), lease=6)}

    assert diff(published, {key(): b"1"}, LEASE) == Changes((Put(key(), b"1", 5),), ())


records = st.dictionaries(
    st.builds(key, st.sampled_from("abcdef"), st.integers(1, 9), st.sampled_from(["web", "shop"])),
    st.binary(max_size=3),
)


@given(before=records, after=records)
def test_written_changes_lead_to_what_is_desired_and_then_to_none(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    published = {name: entry(name, value, lease=6) for name, value in before.items()}

    for batch in batches(diff(published, after, LEASE)):
        published = applied(published, batch, 10, LEASE)

    assert {name: each.value for name, each in published.items()} == after
    assert not diff(published, after, LEASE)


def test_the_changes_of_one_container_are_one_transaction() -> None:
    published = {key("a", 80, "old"): entry(key("a", 80, "old"))}
    desired = {key("a", 80, "new"): b"1"} | {key("b", port): b"1" for port in range(1, BATCH + 1)}

    first, *rest = batches(diff(published, desired, LEASE))

    assert first == (Delete(key("a", 80, "old"), 5), Put(key("a", 80, "new"), b"1", 0))
    assert [len(batch) for batch in rest] == [BATCH]


def test_what_frees_an_address_comes_first() -> None:
    published = {key("z"): entry(key("z"))}
    desired = {key("a", port): b"1" for port in range(1, BATCH + 1)}

    first, _ = batches(diff(published, desired, LEASE))

    assert first == (Delete(key("z"), 5),)


def test_a_transaction_is_never_too_large() -> None:
    desired = {key("a", port): b"1" for port in range(1, 3 * BATCH)}

    made = batches(diff({}, desired, LEASE))

    assert [len(batch) for batch in made] == [BATCH, BATCH, BATCH - 1]
