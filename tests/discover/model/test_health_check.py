"""How often an instance is checked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records.record import Check
from discover.model.build import BuildMemo, build
from discover.model.health_check import (
    HOSTS_AT_INTERVAL,
    INTERVAL_MAX_MS,
    INTERVAL_MS,
    check_interval_ms,
)
from discover.snapshot.belongs import Owner
from tests.parts.configs import POLICY
from tests.parts.records import instance, snapshot


@pytest.mark.parametrize(
    ("before", "hosts", "after"),
    [
        (2000, 0, 2000),
        (2000, 20, 2000),
        (2000, 21, 4000),
        (2000, 200, 32_000),
        (2000, 100_000, 32_000),
        (4000, 11, 4000),
        (4000, 9, 2000),
        (32_000, 1, 2000),
    ],
)
def test_it_grows_with_the_hosts_and_shrinks_late(before: int, hosts: int, after: int) -> None:
    assert check_interval_ms(before, hosts) == after


@given(st.lists(st.integers(0, 300), min_size=1))
def test_no_instance_is_checked_more_than_ten_times_a_second_up_to_three_hundred_hosts(
    counts: list[int],
) -> None:
    interval = INTERVAL_MS
    for hosts in counts:
        interval = check_interval_ms(interval, hosts)
        assert INTERVAL_MS <= interval <= INTERVAL_MAX_MS
        assert hosts * 1000 / interval <= HOSTS_AT_INTERVAL * 1000 / INTERVAL_MS


def test_a_host_that_comes_and_goes_changes_it_once() -> None:
    interval, seen = INTERVAL_MS, []
    for hosts in (20, 21, 20, 21, 20, 21):
        interval = check_interval_ms(interval, hosts)
        seen.append(interval)
    assert seen == [2000, *[4000] * 5]


def test_what_a_service_asks_for_stays() -> None:
    slow = instance(2, "slow", service_port=9000, check=Check(interval_ms=7000))
    owners = {f"h{number}": Owner(number) for number in range(50)}
    config, _ = build(replace(snapshot(instance(1), slow), owners=owners), POLICY, BuildMemo())
    assert [listener.interval_ms for listener in config.listeners] == [7000, 8000]
