"""The store when nobody answers, when a write's outcome is unknown, and when it is closed."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from catalog.access import Access, parse_members
from catalog.errors import Conflict, Unavailable
from catalog.store import Delete, Put, Store
from tests.parts.etcd import Etcd
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


def put_all(store: Store, keys: list[str], value: bytes = b"x", lease: int = 0) -> int:
    return store.write([Put(key, value, expected=0) for key in keys], lease=lease)


def silent_server() -> socket.socket:
    """A server whose kernel takes connections and which never says a word."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


def test_nobody_listens() -> None:
    store = Store(Access(parse_members("127.0.0.1:1,127.0.0.1:2")))

    with pytest.raises(Unavailable, match=r"no etcd member answers: .*127.0.0.1:\d: UNAVAILABLE"):
        store.get("/p/a")
    store.close()


def test_silent_server_costs_the_deadline_and_no_more() -> None:
    with silent_server() as server:
        store = Store(Access(parse_members(f"127.0.0.1:{server.getsockname()[1]}")), deadline_s=0.3)
        started = time.monotonic()

        with pytest.raises(Unavailable):
            store.list("/p/")

        assert time.monotonic() - started < 2
        store.close()


def test_first_member_that_answers_is_taken(etcd: Etcd) -> None:
    with silent_server() as server:
        addresses = f"127.0.0.1:1,127.0.0.1:{server.getsockname()[1]},{etcd.endpoint}"
        store = Store(Access(parse_members(addresses)), deadline_s=30)
        started = time.monotonic()

        store.get("/p/a")

        assert time.monotonic() - started < 5
        store.close()


def test_close_ends_a_call_that_waits() -> None:
    with silent_server() as server:
        store = Store(Access(parse_members(f"127.0.0.1:{server.getsockname()[1]}")), deadline_s=60)
        errors: list[Exception] = []
        caller = threading.Thread(target=lambda: errors.append(error_of(store)))
        caller.start()
        server.settimeout(10)
        connection, _ = server.accept()  # now it waits for an answer

        store.close()

        caller.join(3)
        assert not caller.is_alive()
        assert [type(error) for error in errors] == [Unavailable]
        connection.close()


def error_of(store: Store) -> Exception:
    try:
        store.list("/p/")
    except Unavailable as error:
        return error
    return AssertionError("no error")


def test_closed_store_is_unavailable_for_good(etcd: Etcd) -> None:
    used, unused = Store(etcd.access), Store(etcd.access)
    used.get("/p/a")

    for store in (used, unused):
        store.close()
        store.close()

        with pytest.raises(Unavailable, match="closed"):
            store.get("/p/a")
        with pytest.raises(Unavailable):
            store.watch("/p/", 1)


def test_close_at_any_moment_ends_the_calls(etcd: Etcd) -> None:
    for round_number in range(40):
        store = Store(etcd.access)
        caller = threading.Thread(target=call_until_unavailable, args=(store,))
        caller.start()
        # Spread over connecting and calling; both take a few milliseconds.
        let_pass(round_number / 2000)

        store.close()

        caller.join(5)
        assert not caller.is_alive()


def call_until_unavailable(store: Store) -> None:
    with pytest.raises(Unavailable):
        while True:
            store.get("/p/a")


def test_write_that_timed_out_never_undoes_a_later_one(etcd: Etcd, store: Store) -> None:
    impatient = Store(etcd.access, deadline_s=0.3)
    for _ in range(3):
        put_all(impatient, ["/p/a"])
        before = impatient.get("/p/a")
        assert before is not None

        etcd.pause()
        with pytest.raises(Unavailable):
            impatient.write([Delete("/p/a", before.mod_revision)], lease=0)
        etcd.resume()

        written = rewrite(impatient, "/p/a")
        # Whatever came late had its turn: this later write on the same etcd has been applied.
        put_all(store, ["/p/marker"])
        after = store.get("/p/a")
        assert after is not None
        assert after.mod_revision == written
        store.write(
            [Delete("/p/a", after.mod_revision), Delete("/p/marker", store.list("/p/").revision)],
            lease=0,
        )
    impatient.close()


def rewrite(store: Store, key: str) -> int:
    """Write as the registrar does after an unknown outcome: look, write what fits, look again if it
    did not.
    """
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            now = store.get(key)
            return store.write([Put(key, b"again", now.mod_revision if now else 0)], lease=0)
        except (Conflict, Unavailable):
            continue
    raise AssertionError("not written within 10 s")
