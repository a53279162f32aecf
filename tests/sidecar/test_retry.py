"""keep_running: again after every end, backing off after bad ones, until it is stopped."""

import threading
import time
from itertools import pairwise

import pytest

from catalog.errors import Refused, Rejected, Unavailable
from sidecar.retry import keep_running


def test_it_tries_again_until_stopped_and_says_the_first_failure_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = threading.Event()
    calls: list[float] = []
    lost: list[str] = []

    def session() -> None:
        calls.append(time.monotonic())
        if len(calls) == 4:
            stop.set()
            return
        raise Unavailable("nobody there")

    keep_running(session, name="etcd", stop=stop, cap_s=0.1, on_lost=lost.append)

    assert len(calls) == 4
    assert lost == ["nobody there"] * 3
    assert caplog.text.count("etcd unavailable, trying again: nobody there") == 1


def test_no_wait_is_longer_than_the_cap() -> None:
    stop, calls = threading.Event(), []

    def session() -> None:
        calls.append(time.monotonic())
        if len(calls) == 12:
            stop.set()
        raise Unavailable("nobody there")

    keep_running(session, name="etcd", stop=stop, cap_s=0.02)

    waits = [after - before for before, after in pairwise(calls)]
    assert sum(waits) < 12 * 0.02 + 2  # the cap, and a busy machine


def test_a_session_that_was_good_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.retry.GOOD_S", 0.0)
    stop, calls = threading.Event(), []

    def session() -> None:
        calls.append(1)
        if len(calls) == 50:
            stop.set()
        raise Unavailable("lost")

    keep_running(session, name="etcd", stop=stop, cap_s=100)

    assert len(calls) == 50


def test_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    failed = threading.Event()

    def session() -> None:
        raise Unavailable("nobody there")

    thread = threading.Thread(
        target=keep_running,
        args=(session,),
        kwargs={"name": "etcd", "stop": stop, "cap_s": 1000, "on_lost": lambda _why: failed.set()},
    )
    thread.start()
    failed.wait(10)
    stop.set()
    thread.join(10)

    assert not thread.is_alive()


@pytest.mark.parametrize("error", [Rejected("ours"), LookupError("a bug")])
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    def session() -> None:
        raise error

    with pytest.raises(type(error)):
        keep_running(session, name="etcd", stop=threading.Event(), cap_s=1)


def test_a_refusal_waits_the_longest_pause() -> None:
    stop, at = threading.Event(), []

    def session() -> None:
        at.append(time.monotonic())
        if len(at) == 3:
            stop.set()
        raise Refused("permission denied")

    keep_running(session, name="x", stop=stop, cap_s=0.2)

    assert min(at[1] - at[0], at[2] - at[1]) >= 0.2


def test_what_a_session_raises_as_it_is_stopped_is_no_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.retry.GOOD_S", 0.0)
    stop = threading.Event()
    lost: list[str] = []

    def session() -> None:
        stop.set()
        raise Unavailable("the store was closed")

    keep_running(session, name="etcd", stop=stop, cap_s=100, on_lost=lost.append)

    assert lost == []
    assert caplog.messages == []
