"""The store on three members: one of them dies, or falls silent."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.access import Access, parse_members
from catalog.errors import Conflict, Unavailable
from catalog.store import Put, Store
from tests.parts.etcd import Etcd, etcd_cluster
from tests.parts.store import Reader, wait_until

# A deadline, an election (1-2 s with etcd's defaults) and a race, on a machine that is busy.
FAIL_OVER_S = 15.0


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Etcd]]:
    with etcd_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def store(members: list[Etcd]) -> Iterator[Store]:
    opened = Store(Access(parse_members(",".join(member.endpoint for member in members))))
    yield opened
    opened.close()


def leader(members: list[Etcd]) -> Etcd:
    return next(member for member in members if member.is_leader())


def connected(members: list[Etcd]) -> Etcd:
    """The member that this process has a connection to."""
    # grpc's sockets are of the IPv6 kind, also to an IPv4 address.
    table = [
        row
        for kind in ("tcp", "tcp6")
        for row in Path(f"/proc/self/net/{kind}").read_text().splitlines()[1:]
    ]
    sockets = {
        link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()
    }
    rows = [row.split() for row in table]
    # proc(5), net/tcp: 2 remote address:port, 3 state (01: established), 9 inode
    ports = {
        int(row[2].rpartition(":")[2], 16)
        for row in rows
        if row[3] == "01" and f"socket:[{row[9]}]" in sockets
    }
    return next(member for member in members if member.port in ports)


def put_somehow(store: Store, key: str) -> None:
    def try_once() -> bool:
        try:
            store.write([Put(key, b"x", expected=0)], lease=0)
        except Conflict:  # an earlier try that timed out was applied
            assert store.get(key) is not None
        return True

    wait_until(try_once, FAIL_OVER_S)


def keys_seen(store: Store, after_revision: int, key: str) -> list[str]:
    """Watch, over as many losses as it takes, until the key is seen."""
    seen: list[str] = []
    deadline = time.monotonic() + FAIL_OVER_S
    while key not in seen and time.monotonic() < deadline:
        try:
            for batch in store.watch("/p/", after_revision):
                seen += [event.key for event in batch.events]
                after_revision = batch.revision
                if key in seen:
                    break
        except Unavailable:
            continue
    return seen


def test_leader_that_is_killed(members: list[Etcd], store: Store) -> None:
    lease = store.grant(30)
    before = store.list("/p/").revision
    victim = leader(members)

    victim.kill()

    put_somehow(store, "/p/killed")
    assert keys_seen(store, before, "/p/killed") == ["/p/killed"]
    wait_until(lambda: store.keep_alive(lease) == 30, FAIL_OVER_S)
    victim.start()


def test_member_that_falls_silent(members: list[Etcd], store: Store) -> None:
    before = store.list("/p/").revision
    victim = connected(members)
    with Reader(store.watch("/p/", before)) as reader:
        victim.pause()

        other = Store(
            Access(parse_members(",".join(m.endpoint for m in members if m is not victim)))
        )
        put_somehow(other, "/p/silent")
        other.close()

        assert reader.ends_within(10)
        assert isinstance(reader.error, Unavailable)
        assert re.search(rf"on {victim.endpoint}: ", str(reader.error))
    assert keys_seen(store, before, "/p/silent") == ["/p/silent"]
    victim.resume()


def test_member_without_a_leader_is_left(members: list[Etcd], store: Store) -> None:
    before = store.list("/p/").revision
    lonely = connected(members)
    others = [member for member in members if member is not lonely]
    with Reader(store.watch("/p/", before)) as reader:
        for member in others:
            member.pause()

        assert reader.ends_within(12)
        assert isinstance(reader.error, Unavailable)
        with pytest.raises(Unavailable):
            store.list("/p/")
    for member in others:
        member.resume()

    put_somehow(store, "/p/lonely")
    assert keys_seen(store, before, "/p/lonely") == ["/p/lonely"]
