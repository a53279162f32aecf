"""What is left to the next life of a container that has to be started again."""

from collections.abc import Iterator

import pytest

from catalog.entries import Put
from catalog.errors import Unavailable
from catalog.keys import OwnerKey, instances_root, key_of
from catalog.store import Store
from register.host.acquire import Acquired, acquire
from register.host.identity import read_surroundings
from register.host.next_life import leave_records
from register.host.owner import HostOwner
from register.records.host_state import LISTED_WITHIN_S, Host, HostLease
from register.registrar import new_life
from tests.parts.etcd import Etcd

PREFIX = "/services"
HOST = "h1"
TTL_S = 5
OWNER = key_of(PREFIX, OwnerKey(HOST))
RECORDS = 150  # more than one transaction takes


@pytest.fixture
def store(etcd: Etcd) -> Iterator[Store]:
    one = Store(etcd.access)
    yield one
    one.close()


@pytest.fixture
def lease(store: Store) -> HostLease:
    """The lease of a registrar that has published its records."""
    lease = acquired(store, life()).lease
    root = instances_root(PREFIX, HOST)
    for start in range(0, RECORDS, 50):
        numbers = range(start, start + 50)
        puts = [Put(f"{root}web/{number:012x}:80", b"%d" % number, 0) for number in numbers]
        store.write(puts, lease=lease.id)
    return lease


def life() -> HostOwner:
    return new_life(Host(HOST, "192.0.2.1", None), read_surroundings())


def acquired(store: Store, owner: HostOwner) -> Acquired:
    return acquire(store, OWNER, store.get(OWNER), owner, TTL_S, any_ttl=False, fence=None)


def test_everything_stays_as_it_is_under_a_longer_lease(store: Store, lease: HostLease) -> None:
    before = store.list(PREFIX).entries

    leave_records(store, PREFIX, HOST, lease)

    after = store.list(PREFIX).entries
    assert [(entry.key, entry.value) for entry in after] == [
        (entry.key, entry.value) for entry in before
    ]
    assert len(after) == RECORDS + 1
    (longer,) = {entry.lease for entry in after}
    assert longer != lease.id
    assert store.keep_alive(longer) == LISTED_WITHIN_S


def test_the_next_life_takes_over_and_ends_the_longer_lease(store: Store, lease: HostLease) -> None:
    leave_records(store, PREFIX, HOST, lease)
    entry = store.get(OWNER)
    assert entry is not None

    taken = acquired(store, life())

    assert taken.old_lease == entry.lease
    assert store.keep_alive(taken.lease.id) == TTL_S


def test_a_host_that_another_registrar_has_is_left_alone(store: Store, lease: HostLease) -> None:
    other = acquired(store, life())

    with pytest.raises(Unavailable, match="leave the records"):
        leave_records(store, PREFIX, HOST, lease)

    entry = store.get(OWNER)
    assert entry is not None
    assert entry.lease == other.lease.id
