"""Which overrides count: until their end, on their hosts, with etcd's word if they need it."""

import math

import pytest

from catalog.keys import OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing
from discover.overrides.counting import VOUCHED_S, Counting, Moment, counting

KEY = OverrideKey("web", "x")
INSTANCE = "77de12f4aa01:8000"
HERE = frozenset({"h1", "machine-id"})


def counted(
    override: Override, now_s: float = 100.0, silent_s: float = 0.0, leased: bool = False
) -> Counting:
    standing = Standing(override, "", 1, leased)
    return counting({KEY: standing}, HERE, Moment(now_s, silent_s))


def test_one_that_cannot_be_read_costs_itself_alone() -> None:
    good = Standing(Override(by="a", instance=INSTANCE, weight=5), "", 1, leased=False)
    bad = Standing(None, "v: 2 is an unknown version", 2, leased=False)

    found = counting({KEY: good, OverrideKey("web", "bad"): bad}, HERE, Moment(100.0))

    assert found.standing == {KEY: good}
    assert found.problems["overrides/web/bad"].code == "BAD_OVERRIDE"
    assert "unknown version" in found.problems["overrides/web/bad"].text


def test_one_counts_until_its_end() -> None:
    override = Override(by="a", instance=INSTANCE, weight=5, until_s=130)

    assert counted(override).changes_in_s == 30.0
    assert counted(override, 129.5).standing
    over = counted(override, 130.0)
    assert (over.standing, over.problems, over.changes_in_s) == ({}, {}, math.inf)


def test_one_without_an_end_changes_nothing_by_itself() -> None:
    found = counted(Override(by="a", instance=INSTANCE, weight=5), silent_s=1e6)
    assert (len(found.standing), found.changes_in_s) == (1, math.inf)


@pytest.mark.parametrize(("only", "count"), [((), 1), (("h1",), 1), (("h2", "h3"), 0)])
def test_one_counts_on_its_hosts_only(only: tuple[str, ...], count: int) -> None:
    override = Override(by="a", instance=INSTANCE, weight=5, only=only)
    assert len(counted(override).standing) == count


def test_one_that_only_its_lease_ends_is_not_believed_long_without_etcd() -> None:
    override = Override(by="a", to="192.0.2.7:9000", until_s=10_000)

    assert counted(override, leased=True).changes_in_s == 9_900.0
    assert counted(override, silent_s=1.0, leased=True).changes_in_s == VOUCHED_S - 1.0
    assert not counted(override, silent_s=VOUCHED_S, leased=True).standing
