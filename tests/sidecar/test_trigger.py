"""Trigger: nothing fired is lost, everything fired together is one wake-up."""

import threading

from sidecar.trigger import Trigger


def test_reasons_come_once_and_in_order() -> None:
    trigger = Trigger()
    for reason in ("a", "b", "a"):
        trigger.fire(reason)

    assert trigger.wait(0) == ("a", "b")
    assert trigger.wait(0) == ()


def test_what_is_fired_while_the_waiter_works_is_one_more_round() -> None:
    trigger = Trigger()
    rounds: list[tuple[str, ...]] = []
    working, go_on = threading.Event(), threading.Event()

    def waiter() -> None:
        for _ in range(2):
            rounds.append(trigger.wait(10))
            working.set()
            go_on.wait(10)

    thread = threading.Thread(target=waiter)
    thread.start()
    trigger.fire("first")
    working.wait(10)
    trigger.fire("second")
    trigger.fire("third")
    go_on.set()
    thread.join(10)

    assert rounds == [("first",), ("second", "third")]


def test_settle_ends_when_it_is_quiet_and_never_after_at_most() -> None:
    trigger, stop = Trigger(), threading.Event()

    def noise() -> None:
        while not stop.wait(0.005):
            trigger.fire("noise")

    trigger.fire("one")
    assert trigger.settle(quiet_s=0.01, at_most_s=10) == ("one",)

    trigger.fire("noise")
    thread = threading.Thread(target=noise)
    thread.start()
    try:
        assert trigger.settle(quiet_s=10, at_most_s=0.1) == ("noise",)
    finally:
        stop.set()
        thread.join()
