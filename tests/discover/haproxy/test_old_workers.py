"""Which old workers have to end."""

from pathlib import Path

import pytest

from discover.haproxy import other_processes
from discover.haproxy.__main__ import megabytes
from discover.haproxy.old_workers import COUNT_MAX, MB, Worker, may_take, old_of, surplus


def worker(started: int, memory: int = 10) -> Worker:
    return Worker(started, pid=1000 + started, own=started, memory=memory)


def test_old_are_those_that_started_before_the_current_one() -> None:
    oldest, old, current, starting = (worker(started) for started in (1, 2, 3, 4))

    assert old_of([starting, old, current, oldest], current=3) == [oldest, old]


def test_none_is_old_if_the_current_one_is_not_seen() -> None:
    assert old_of([worker(1), worker(2)], current=9) == ()
    assert old_of([], current=9) == ()


def test_the_oldest_end_until_the_others_fit() -> None:
    workers = [worker(1, 30), worker(2, 10), worker(3, 10)]

    assert surplus(workers, 50) == []
    assert surplus(workers, 49) == workers[:1]
    assert surplus(workers, 19) == workers[:2]
    assert surplus(workers, 5) == workers


def test_there_are_never_more_than_haproxy_can_bear() -> None:
    workers = [worker(started) for started in range(COUNT_MAX + 2)]

    assert surplus(workers, 1000 * MB) == workers[:2]
    assert surplus(workers, 1000 * MB, COUNT_MAX - 3) == workers[:5]
    assert surplus(workers[:2], 1000 * MB, -1) == workers[:2]


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", 800), ("1000000000000", 800), (str(600 * MB), 300)]
)
def test_they_may_take_a_tenth_of_the_machine_or_half_of_the_container(
    limit: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "limit").write_text(f"{limit}\n")
    (tmp_path / "meminfo").write_text(f"MemTotal:    {8000 * 1024} kB\nMemFree:   1 kB\n")
    monkeypatch.setattr(other_processes, "PROC", tmp_path)
    monkeypatch.setattr(other_processes, "LIMITS", [str(tmp_path / "limit")])

    assert may_take(None) == expected * MB
    assert may_take(77) == 77 * MB


def test_a_wrong_setting_costs_a_lone_haproxy_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert megabytes("20") == 20
    assert megabytes("20 MB") is None
    assert "'20 MB' is not a whole number of MB from 1 to 1000000; the default" in caplog.text
