"""A session with etcd ends from another thread, whenever that comes."""

import threading
from contextlib import suppress

import pytest

from catalog.access import Access, Member
from catalog.errors import Unavailable
from catalog.session import Session

NOBODY = Access((Member("127.0.0.1", 1),))


def test_a_store_that_is_opened_after_the_end_is_closed() -> None:
    session = Session(NOBODY)

    session.end()

    with session.store() as store, pytest.raises(Unavailable, match="the store was closed"):
        store.get("/key")
    assert session.ended.is_set()


def test_the_end_closes_the_store_that_is_open() -> None:
    session = Session(NOBODY)
    opened, ended = threading.Event(), threading.Event()
    why: list[str] = []

    def follow() -> None:
        with session.store() as store:
            opened.set()
            ended.wait(10)
            try:
                store.get("/key")
            except Unavailable as error:
                why.append(str(error))

    thread = threading.Thread(target=follow)
    thread.start()
    opened.wait(10)
    session.end()
    ended.set()
    thread.join(10)

    assert why == ["the store was closed"]


def test_a_store_is_closed_after_its_with() -> None:
    session = Session(NOBODY)

    with suppress(LookupError), session.store() as store:
        raise LookupError("ours")

    with pytest.raises(Unavailable, match="the store was closed"):
        store.get("/key")
    assert not session.ended.is_set()
