"""The snapshot to apply: whose word counts when, and what is held back at the start."""

import time
from typing import Literal

import pytest

from catalog.keys import HoldKey
from discover.snapshot import keeper as keepers
from discover.snapshot.keeper import Checked, Keeper, Learned
from discover.snapshot.snapshot import EMPTY
from discover.snapshot.state import State, learn, started
from sidecar.status.metrics import Metrics
from sidecar.trigger import Trigger
from tests.parts.catalogs import SINCE, UNTIL, FakeEtcd
from tests.parts.records import instance


@pytest.fixture
def etcd() -> FakeEtcd:
    return FakeEtcd().claim("h1").put("h1", instance(1))


def kept(state: State | None = None, *, had_file: bool) -> Keeper:
    return Keeper(state, had_file=had_file, changed=Trigger(), metrics=Metrics())


def remembered(etcd: FakeEtcd) -> State:
    return learn(started(EMPTY, {}), *etcd.relist(), 0.0)


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + seconds)


def leave(keeper: Keeper, etcd: FakeEtcd, how: Literal["step", "relist"] = "relist") -> None:
    seen, departures = etcd.step() if how == "step" else etcd.relist()
    keeper.leave(Learned(seen, departures, at_s=0.0))


def test_nothing_is_known_until_etcd_speaks(etcd: FakeEtcd) -> None:
    keeper = kept(had_file=False)
    assert keeper.snapshot() is None

    leave(keeper, etcd)
    assert keeper.snapshot() == etcd.seen


def test_an_earlier_life_s_snapshot_counts_at_once_where_haproxy_has_no_file(
    etcd: FakeEtcd,
) -> None:
    assert kept(remembered(etcd), had_file=False).snapshot() == etcd.seen


def test_where_it_has_one_that_counts_until_etcd_is_late(
    etcd: FakeEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = kept(remembered(etcd), had_file=True)
    assert (keeper.snapshot(), keeper.waits) == (None, True)

    later(monkeypatch, keepers.UNLISTED_S)
    assert (keeper.snapshot(), keeper.waits) == (etcd.seen, False)


def test_nothing_over_something_for_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = kept(had_file=True)
    leave(keeper, FakeEtcd().claim("h1"))
    assert (keeper.snapshot(), keeper.waits) == (None, True)

    later(monkeypatch, keepers.EMPTY_S)
    assert (keeper.snapshot() is not None, keeper.waits) == (True, False)


def test_nothing_over_nothing_at_once() -> None:
    keeper = kept(remembered(FakeEtcd().claim("h1")), had_file=True)
    leave(keeper, FakeEtcd().claim("h1"))

    assert keeper.snapshot() is not None


def test_emptied_by_evidence_is_applied_at_once(etcd: FakeEtcd) -> None:
    keeper = kept(remembered(etcd), had_file=True)
    leave(keeper, etcd.delete("h1", instance(1)))

    view = keeper.snapshot()
    assert view is not None
    assert view.services == {}


def test_steps_are_taken_in_order_and_a_herd_is_one(
    etcd: FakeEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = kept(had_file=False)
    taken: list[Learned | Checked] = []
    take = keeper._take

    def counted(step: Learned | Checked) -> None:
        taken.append(step)
        take(step)

    monkeypatch.setattr(keeper, "_take", counted)
    leave(keeper, etcd)
    for number in range(2, 9):
        leave(keeper, etcd.put("h1", instance(number)), "step")
    leave(keeper, etcd.delete("h1", instance(3)), "step")
    leave(keeper, etcd.put("h1", instance(9)), "step")

    view = keeper.snapshot()
    assert view is not None
    assert view.same_as(etcd.seen)
    assert len(taken) == 3


def test_suspects_are_told_and_explained_once(
    etcd: FakeEtcd, caplog: pytest.LogCaptureFixture
) -> None:
    etcd.claim("h2", "h3").put("h2", instance(2)).put("h3", instance(3))
    keeper = kept(remembered(etcd), had_file=False)
    with caplog.at_level("INFO"):
        for host in ("h1", "h2", "h3"):
            leave(keeper, etcd.expire(host), "step")
        keeper.snapshot()
        suspects = keeper.explained()["suspects"]
        keeper.snapshot()
        keeper.leave(Checked(dict.fromkeys(suspects, "failing"), time.monotonic()))
        keeper.snapshot()
        keeper.leave(Checked({}, time.monotonic() + 601))
        keeper.snapshot()

    said = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert said.count("removals are frozen") == 1
    assert said.count("removals are no longer frozen") == 1
    assert said.count("no longer suspect") == 1
    assert {it["frozen"] for it in suspects.values()} == {True}
    nothing = {"suspects": {}, "frozen": False, "purged": [], "claims": {}, "holds": {}}
    assert keeper.explained() == nothing


def test_it_is_told_who_holds_what_since_when_and_until_when(etcd: FakeEtcd) -> None:
    etcd.hold(HoldKey("port", "8000"), "orders").hold(HoldKey("host", "a.test/"), "web", UNTIL)
    keeper = kept(remembered(etcd), had_file=False)

    assert keeper.explained()["holds"] == {
        "host a.test/": f"web since {SINCE}, which has no instance now, until {UNTIL}"
        " or until docker-discover --release",
        "port 8000": f"orders since {SINCE}",
    }
