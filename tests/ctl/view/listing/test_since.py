"""For how long: what HAProxy saw; what it cannot have seen is as old as the oldest container."""

from typing import Any

from ctl.view.listing.since import since_s
from ctl.view.published import Published
from tests.parts.records import instance

NOW_S = 10_000.0
PUBLISHED = (
    Published("a", instance(1, started_ms=2_000_000)),
    Published("a", instance(2, started_ms=9_000_000)),
    Published("a", instance(3, started_ms=1_000, role="stub")),
)


def since(state: str, worker_s: int = 500, **hosts: Any) -> int | None:
    seen = {host: {"since_s": seconds} for host, seconds in hosts.items()}
    return since_s(state, seen, dict.fromkeys(hosts, worker_s), PUBLISHED, NOW_S)


def test_the_latest_change_that_any_host_saw_counts() -> None:
    assert since("serving", a=100, b=40) == 40
    assert since("nobody", a=7) == 7


def test_what_was_so_before_the_worker_is_as_old_as_the_oldest_container() -> None:
    assert since("serving", a=499) == 8000
    assert since("stubs", a=500) == 9999
    assert since("serving", a=9000, worker_s=9000) == 9000
    # When it went down is not known from containers.
    assert since("nobody", a=499) == 499


def test_what_nobody_says_is_not_known() -> None:
    assert since("serving") is None
    assert since("serving", a=None) is None
    assert since("serving", a="x") is None
    assert since_s("serving", {"a": {"since_s": 5}}, {}, (), NOW_S) == 5
