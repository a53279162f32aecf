"""Why an instance is gone: told by what went, or stayed, with it."""

from collections.abc import Callable

import pytest

from discover.snapshot.departures import Departures, in_listing
from tests.parts.catalogs import FakeEtcd, key
from tests.parts.records import instance

Look = Callable[[FakeEtcd], Departures]

ONE, TWO, THREE = instance(1), instance(2), instance(3)


@pytest.fixture
def etcd() -> FakeEtcd:
    etcd = FakeEtcd().claim("h1", "h2", "h3").put("h1", ONE).put("h2", TWO).put("h3", THREE)
    etcd.relist()
    return etcd


@pytest.fixture(params=["step", "relist"])
def look(request: pytest.FixtureRequest) -> Look:
    """Whether a watch or a listing tells; both must say the same where both can know."""
    return lambda etcd: getattr(etcd, request.param)()[1]


def test_deleted_while_the_lease_lives(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.delete("h1", ONE)) == {key("h1", ONE): "deleted"}


def test_gone_with_its_host(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.expire("h1")) == {key("h1", ONE): "expired"}


def test_the_host_is_back_but_not_yet_its_instance(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.expire("h1").claim("h1")) == {key("h1", ONE): "expired"}


def test_all_is_back_at_once(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.expire("h1").claim("h1").put("h1", ONE)) == {}


def test_a_takeover_of_the_host_changes_nothing(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.claim("h1").delete("h1", ONE)) == {key("h1", ONE): "deleted"}


def test_a_drained_host_meant_all_to_go_however_it_is_seen(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.drain("h1").expire("h1")) == {key("h1", ONE): "deleted"}


def test_a_drain_that_was_missed_and_the_host_is_back_as_another_owner(etcd: FakeEtcd) -> None:
    etcd.drain("h1").delete("h1", ONE).expire("h1").claim("h1")
    assert etcd.relist()[1] == {key("h1", ONE): "deleted"}


def test_unreadable(etcd: FakeEtcd, look: Look) -> None:
    assert look(etcd.garble("h1", ONE)) == {key("h1", ONE): "unreadable"}


def test_deleted_then_its_host_gone_in_one_batch(etcd: FakeEtcd) -> None:
    assert etcd.delete("h1", ONE).expire("h1").step()[1] == {key("h1", ONE): "deleted"}


def test_put_again_and_gone_in_one_batch(etcd: FakeEtcd) -> None:
    moved = instance(1, port=40000)
    assert etcd.put("h1", moved).expire("h1").step()[1] == {key("h1", ONE): "deleted"}


def test_owners_of_two_hosts_in_one_revision_are_no_leases(etcd: FakeEtcd) -> None:
    assert set(etcd.wipe().step()[1].values()) == {"wiped"}


def test_two_leases_that_end_in_one_batch_are(etcd: FakeEtcd) -> None:
    assert etcd.expire("h1").expire("h2").step()[1] == {
        key("h1", ONE): "expired",
        key("h2", TWO): "expired",
    }


def test_another_cluster_and_an_older_revision_prove_nothing(etcd: FakeEtcd) -> None:
    before = etcd.seen
    assert set(etcd.replace().relist()[1].values()) == {"rewound"}

    etcd.seen, etcd.cluster, etcd.revision = before, 1, before.revision - 1
    assert set(etcd.relist()[1].values()) == {"rewound"}


def test_a_record_under_no_lease_only_goes_by_hand(etcd: FakeEtcd, look: Look) -> None:
    for name, entry in etcd.entries.items():
        etcd.entries[name] = type(entry)(
            entry.key, entry.value, entry.create_revision, entry.mod_revision, 0
        )
    etcd.relist()

    assert look(etcd.expire("h1")) == {key("h1", ONE): "deleted"}


def test_the_first_listing_ever_has_nothing_before_it() -> None:
    etcd = FakeEtcd().claim("h1").put("h1", ONE)
    before = etcd.seen
    after, _ = etcd.relist()

    assert in_listing(before, after) == {}
