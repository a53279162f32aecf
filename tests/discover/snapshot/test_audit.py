"""The audit's comparison: nothing escapes it, and what is only on its way differs only once."""

from dataclasses import replace

from catalog.entries import Listing
from catalog.keys import HostPortsKey, OwnerKey, ProxyKey, key_of
from catalog.records.host_ports import HostPort
from catalog.records.host_ports import encode as host_ports_of
from discover.snapshot.audit import differences
from tests.parts.catalogs import FakeEtcd, key
from tests.parts.records import PREFIX, instance


def listing(etcd: FakeEtcd) -> Listing:
    return Listing(
        etcd.cluster,
        etcd.revision,
        tuple(replace(entry, value=b"") for entry in etcd.entries.values()),
    )


def a_store() -> FakeEtcd:
    etcd = FakeEtcd().claim("h1", "h2").put("h1", instance(1)).garble("h1", instance(5)).purge("h2")
    etcd.relist()
    return etcd


def keys(etcd: FakeEtcd) -> set[str]:
    return {name for name, _ in differences(PREFIX, etcd.seen, listing(etcd))}


def test_the_same_is_no_difference() -> None:
    etcd = a_store()
    assert keys(etcd) == set()

    etcd.put("h1", instance(1)).claim("h1").put("h2", instance(2)).delete("h1", instance(1)).step()
    assert keys(etcd) == set()


def test_a_drained_host_is_no_difference() -> None:
    etcd = a_store().drain("h1")
    etcd.step()
    assert keys(etcd) == set()


def test_what_is_for_people_and_ports_of_hosts_are_no_difference() -> None:
    etcd = a_store()
    for name, value in (
        (f"{PREFIX}/v1/asks/a1", b"whatever"),
        (f"{PREFIX}/v1/asks/not/one", b"whatever"),
        (key_of(PREFIX, ProxyKey("h1")), b"whatever"),
        (key_of(PREFIX, HostPortsKey("h1")), host_ports_of([HostPort(80, "", "a")])),
    ):
        etcd._commit({name: value})
    etcd.step()

    assert keys(etcd) == set()
    assert not [name for name in etcd.seen.refused if "asks" in name]


def test_a_missed_event_of_any_kind_is_one() -> None:
    assert keys(a_store().put("h2", instance(2))) == {key("h2", instance(2))}
    assert keys(a_store().put("h1", instance(1, weight=7))) == {key("h1", instance(1))}
    assert keys(a_store().delete("h1", instance(1))) == {key("h1", instance(1))}
    assert keys(a_store().claim("h2")) == {key_of(PREFIX, OwnerKey("h2"))}
