"""Who is called although etcd no longer names it: tables, and then anything in any order."""

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from catalog.records.record import Check
from discover.snapshot.state import State, learn, started
from discover.snapshot.suspects import (
    GRACE_S,
    HARD_STOP_S,
    RETURN_S,
    UNCHECKED_S,
    UNREADABLE_S,
)
from tests.parts.records import instance
from tests.parts.suspects import RECORDS, Lab


def test_an_explicit_delete_is_honoured_at_once_even_to_zero() -> None:
    lab = Lab(hosts=1)
    lab.etcd.delete("h1", lab.records["h1"])

    assert lab.look().called == []
    assert lab.state.suspects == {}


def test_an_expired_host_is_called_while_its_check_passes() -> None:
    lab = Lab().expire("h1")

    assert lab.called == ["h1", "h2", "h3", "h4", "h5"]
    assert lab.state.frozen == 0
    assert lab.checked("h1", result="passing", after_s=GRACE_S - 1).called == [
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
    ]
    assert lab.checked("h1", result="passing", after_s=2).called == ["h2", "h3", "h4", "h5"]


def test_it_goes_when_its_check_fails() -> None:
    lab = Lab().expire("h1").checked("h1")

    assert lab.called == ["h2", "h3", "h4", "h5"]
    assert lab.state.dropped == {lab.key("h1"): "its check fails"}


def test_a_suspect_of_two_hosts_is_never_frozen_however_small_the_fleet() -> None:
    assert Lab(hosts=2).expire("h1", "h2").state.frozen == 0


def test_it_goes_when_its_address_is_announced_again_by_anybody() -> None:
    lab = Lab().expire("h1")
    other = instance(9, "other", address=lab.records["h1"].address, port=lab.records["h1"].port)
    lab.etcd.put("h2", other)

    assert lab.look().state.suspects == {}
    assert lab.key("h1") not in lab.state.view.records


def test_it_goes_when_another_host_announces_its_container() -> None:
    lab = Lab().expire("h1")
    lab.etcd.put("h2", instance(1, address="10.0.0.2", port=777))

    assert lab.look().state.suspects == {}


def test_a_host_that_is_back_first_claims_then_puts() -> None:
    lab = Lab().expire("h1")
    lab.etcd.claim("h1")
    lab.look()
    assert "h1" in lab.called

    lab.etcd.put("h1", lab.records["h1"])
    lab.look()
    assert (lab.state.suspects, "h1" in lab.called) == ({}, True)


def test_a_host_that_is_back_without_it_had_time_to_put_it() -> None:
    lab = Lab().expire("h1")
    lab.etcd.claim("h1").put("h1", instance(77, "other", address="10.0.0.1"))
    lab.look()

    assert "h1" in lab.checked("h1", result="passing", after_s=RETURN_S - 1).called
    assert lab.checked("h1", result="passing", after_s=2).state.suspects == {}


def test_a_host_that_is_back_and_has_put_nothing_yet_has_the_ordinary_grace() -> None:
    lab = Lab().expire("h1")
    lab.etcd.claim("h1")
    lab.look()

    assert "h1" in lab.checked("h1", result="passing", after_s=GRACE_S - 1).called
    assert lab.checked("h1", result="passing", after_s=2).state.suspects == {}


def test_dropped_with_its_lease_if_it_asked_for_that() -> None:
    assert Lab(on_absence="drop").expire("h1").called == ["h2", "h3", "h4", "h5"]
    assert Lab(on_absence="drop").expire("h1", "h2", "h3").called == ["h4", "h5"]


def test_without_a_check_it_goes_with_its_lease_and_soon_when_the_store_is_lost() -> None:
    assert Lab(check=Check("none")).expire("h1").called == ["h2", "h3", "h4", "h5"]

    lab = Lab(check=Check("none"))
    lab.etcd.replace()
    lab.look("relist")
    assert len(lab.checked(after_s=UNCHECKED_S - 1).called) == 5
    assert lab.checked(after_s=2).called == []


def test_a_suspect_whose_listener_has_no_check_goes_too() -> None:
    assert Lab().expire("h1").checked("h1", result="unchecked").called == ["h2", "h3", "h4", "h5"]


def test_a_mass_expiry_is_frozen_and_thaws_as_hosts_return() -> None:
    lab = Lab().expire("h1", "h2", "h3")
    assert (lab.state.frozen, len(lab.called)) == (3, 5)

    lab.checked("h1", "h2", "h3", after_s=5)
    assert len(lab.called) == 5

    for host in ("h1", "h2", "h3"):
        lab.etcd.claim(host).put(host, lab.records[host])
    lab.look()
    assert (lab.state.frozen, lab.state.view) == (0, lab.state.catalog)


def test_frozen_ones_go_after_failing_for_long_without_a_break() -> None:
    lab = Lab().expire("h1", "h2", "h3").checked("h1", "h2")
    lab.checked("h2", result="passing", after_s=GRACE_S - 1)
    lab.checked("h1", "h2", after_s=2)

    assert lab.called == ["h2", "h3", "h4", "h5"]


def test_a_freeze_has_a_hard_stop() -> None:
    lab = Lab().expire("h1", "h2", "h3")

    assert len(lab.checked("h1", result="passing", after_s=HARD_STOP_S - 1).called) == 5
    assert lab.checked(after_s=2).called == ["h4", "h5"]


def test_three_of_many_hosts_are_no_mass_and_slow_ones_neither() -> None:
    lab = Lab()
    for extra in range(10, 20):
        lab.etcd.claim(f"h{extra}")
    assert lab.look().expire("h1", "h2", "h3").state.frozen == 0

    slow = Lab()
    for host in ("h1", "h2", "h3"):
        slow.expire(host)
        slow.now_s += 61
    assert slow.state.frozen == 0


def test_planned_drains_are_no_mass_and_leave_no_suspects() -> None:
    lab = Lab()
    for host in ("h1", "h2"):
        lab.etcd.drain(host).expire(host)
        lab.look()
    assert (lab.state.suspects, lab.expire("h3").state.frozen) == ({}, 0)


def test_a_host_that_is_drained_after_it_was_lost_is_called_no_more() -> None:
    lab = Lab().expire("h1")
    lab.etcd.drain("h1")

    assert lab.look().called == ["h2", "h3", "h4", "h5"]


def test_a_freeze_does_not_feed_itself() -> None:
    lab = Lab().expire("h1", "h2", "h3")
    lab.now_s += 61
    lab.expire("h4")
    assert lab.state.frozen == 3

    assert lab.checked("h3", "h4").called == ["h1", "h2", "h3", "h5"]


@pytest.mark.parametrize("hosts", [1, 2, 5])
def test_a_wiped_store_removes_nothing(hosts: int) -> None:
    lab = Lab(hosts)
    lab.etcd.replace()

    assert len(lab.look("relist").called) == hosts
    assert lab.state.frozen == hosts


def test_a_deleted_prefix_removes_nothing_but_the_living_decide() -> None:
    lab = Lab(hosts=3)
    lab.etcd.wipe()
    assert (len(lab.look().called), lab.state.frozen) == (3, 3)

    lab.etcd.claim("h1").put("h1", lab.records["h1"])
    lab.look()
    lab.etcd.delete("h1", lab.records["h1"])
    lab.look()
    assert lab.called == ["h2", "h3"]


def test_a_record_that_turns_unreadable_stays_for_a_lease() -> None:
    lab = Lab()
    lab.etcd.garble("h1", lab.records["h1"])

    assert len(lab.look().called) == 5
    assert lab.checked(after_s=UNREADABLE_S - 1).called[0] == "h1"
    assert lab.checked(after_s=2).called[0] == "h2"


def test_an_unreadable_one_that_is_deleted_goes_at_once() -> None:
    lab = Lab()
    lab.etcd.garble("h1", lab.records["h1"])
    lab.look()
    lab.etcd.delete("h1", lab.records["h1"])

    assert lab.look().called[0] == "h2"


def test_nothing_of_a_purged_host_is_called() -> None:
    lab = Lab().expire("h1")
    lab.etcd.purge("h1").purge("h2")

    assert lab.look().called == ["h3", "h4", "h5"]


def test_put_and_deleted_between_two_looks() -> None:
    lab = Lab().expire("h1")
    lab.etcd.claim("h1").put("h1", lab.records["h1"]).delete("h1", lab.records["h1"])

    assert lab.look().called == ["h2", "h3", "h4", "h5"]


def test_what_an_earlier_life_last_saw_long_ago_is_no_reason_to_call() -> None:
    lab = Lab()
    lab.etcd.expire("h1")
    before = lab.state

    lab.state = learn(before, *lab.etcd.relist(), lab.now_s, seen_s=lab.now_s - GRACE_S - 1)
    assert lab.called == ["h2", "h3", "h4", "h5"]


@pytest.mark.parametrize(("origin", "called"), [("", 5), ("another", 0)])
def test_what_a_disk_of_another_host_says_of_another_cluster_is_not_called(
    origin: str, called: int
) -> None:
    lab = Lab().expire("h1")
    lab.state = started(replace(lab.state.catalog, written_by=origin), lab.state.suspects)
    assert len(lab.called) == 5

    lab.etcd.replace()
    assert len(lab.look("relist").called) == called


def test_what_a_disk_of_another_host_says_of_the_same_cluster_is() -> None:
    lab = Lab().expire("h1")
    lab.state = started(replace(lab.state.catalog, written_by="another"), lab.state.suspects)

    assert len(lab.look("relist").called) == 5


def test_services_that_nothing_happens_to_stay_the_same_objects() -> None:
    lab = Lab()
    lab.etcd.put("h2", instance(50, "quiet", port=9))
    lab.look()
    lab.expire("h1")
    before = lab.state.view.services
    lab.checked("h1", result="passing", after_s=1)

    assert all(lab.state.view.services[name] is it for name, it in before.items())


class AnyOrder(RuleBasedStateMachine):
    """Hosts come and go in any order, seen by watches and listings, with any checks and pauses."""

    hosts = st.sampled_from(sorted(RECORDS))

    @initialize(hosts=st.integers(1, 5))
    def begin(self, hosts: int) -> None:
        self.lab = Lab(hosts)
        self.missed_s: dict[str, float] = {}
        self.deleted: set[str] = set()

    def learned(self, how: Literal["step", "relist"]) -> None:
        self.lab.look(how)
        missing = {self.lab.key(h) for h in RECORDS} - self.lab.state.catalog.records.keys()
        self.missed_s = {k: self.missed_s.get(k, self.lab.now_s) for k in missing}

    @rule(host=hosts, how=st.sampled_from(["step", "relist"]))
    def expires(self, host: str, how: Literal["step", "relist"]) -> None:
        self.lab.etcd.expire(host)
        self.learned(how)

    @rule(host=hosts)
    def deletes(self, host: str) -> None:
        owned = host in self.lab.state.catalog.owners
        there = self.lab.key(host) in self.lab.state.catalog.records
        self.lab.etcd.delete(host, self.lab.records[host])
        self.learned("step")
        if owned and there:
            assert self.lab.key(host) not in self.lab.state.view.records, (
                "an explicit delete is honoured at once"
            )

    @rule(host=hosts)
    def returns(self, host: str) -> None:
        self.lab.etcd.claim(host)
        self.learned("step")

    @rule(host=hosts)
    def puts(self, host: str) -> None:
        self.lab.etcd.claim(host).put(host, self.lab.records[host])
        self.learned("step")

    @rule(how=st.sampled_from(["wipe", "replace"]))
    def loses_its_store(self, how: str) -> None:
        called = self.lab.called
        getattr(self.lab.etcd, how)()
        many = len(self.lab.state.catalog.owners) > 1
        self.learned("relist" if how == "replace" else "step")
        if how == "replace" or many:
            assert self.lab.called == called, "a lost store removes nothing"

    @rule(
        hosts=st.sets(hosts),
        result=st.sampled_from(["passing", "failing"]),
        after_s=st.floats(0, 1000),
    )
    def checks(
        self, hosts: set[str], result: Literal["passing", "failing"], after_s: float
    ) -> None:
        before = self.lab.state
        self.lab.checked(*hosts, result=result, after_s=after_s)
        for name in before.suspects.keys() - self.lab.state.suspects.keys():
            assert self.has_evidence(before, name), "nothing is removed without evidence"

    def has_evidence(self, before: State, name: str) -> bool:
        suspect, now_s = before.suspects[name], self.lab.now_s
        failing = self.lab.state.dropped[name] == "its check fails"
        return failing or now_s >= min(
            suspect.since_s + GRACE_S, (suspect.returned_s or now_s) + RETURN_S
        )

    @invariant()
    def keeps_nothing_for_ever(self) -> None:
        for name, suspect in self.lab.state.suspects.items():
            limit_s = HARD_STOP_S if suspect.frozen else GRACE_S
            assert self.lab.now_s <= self.missed_s[name] + limit_s + 1000

    @invariant()
    def calls_all_that_etcd_names(self) -> None:
        assert self.lab.state.catalog.records.items() <= self.lab.state.view.records.items()
        assert self.lab.state.view.records.keys() == (
            self.lab.state.catalog.records.keys() | self.lab.state.suspects.keys()
        )

    def teardown(self) -> None:
        if not hasattr(self, "lab"):
            return
        for host in RECORDS:
            self.lab.etcd.claim(host).put(host, self.lab.records[host])
        self.learned("relist")
        assert self.lab.state.view == self.lab.state.catalog
        assert len(self.lab.called) == len(RECORDS)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
