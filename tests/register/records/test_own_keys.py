"""Whose change of this host's keys it was: ours, one that the last list had, or somebody else's."""

import math
from types import SimpleNamespace

from catalog.entries import Delete, Entry, Listing, Put
from register.records.host_state import HostLease
from register.records.own_keys import OwnKeys

LEASE = HostLease(7, "/s/v1/hosts/h/owner", 3)
ROOT = "/s/v1/hosts/h/instances/"
KEY = f"{ROOT}web/000000000001:80"


def own_keys(*, listed: int = 10, writes: tuple[int, ...] = ()) -> OwnKeys:
    revisions = iter(writes)
    entry = Entry(KEY, b"{}", 5, 5, 7)
    store = SimpleNamespace(
        list=lambda root: Listing(1, listed, (entry,)),
        write=lambda *_, **__: next(revisions),
        close=lambda: None,
    )
    keys = OwnKeys(store)  # type: ignore[arg-type]
    keys.read(ROOT)
    return keys


def test_what_the_list_had_and_what_we_wrote_is_no_news() -> None:
    keys = own_keys(writes=(12, 14))
    keys.note_change(9)
    keys.note_change(10)
    keys.note_change(12)  # before the reply
    keys.write((Put(KEY, b"{1}", 5),), LEASE)
    keys.write((Delete(KEY, 12),), LEASE)
    keys.note_change(14)

    assert not keys.are_doubtful()


def test_somebody_else_s_change_between_our_own_is_news_until_it_was_read() -> None:
    keys = own_keys(writes=(12, 14))
    keys.write((Put(KEY, b"{1}", 5),), LEASE)
    keys.write((Put(KEY, b"{2}", 12),), LEASE)
    for revision in (12, 13, 14):
        keys.note_change(revision)

    assert keys.are_doubtful()
    assert keys.are_doubtful()
    keys.forget()
    assert not keys.are_doubtful()  # nothing is known, so all will be read anyway
    keys.read(ROOT)
    assert not keys.are_doubtful()


def test_a_watch_that_begins_anew_may_have_missed_anything() -> None:
    keys = own_keys()
    keys.note_change(math.inf)

    assert keys.are_doubtful()
