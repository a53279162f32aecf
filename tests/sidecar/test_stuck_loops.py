"""A process is ended when one of its loops hangs, and only then."""

import threading

from sidecar.stuck_loops import STATUS, StuckLoops, end_when_stuck


def test_a_loop_that_does_not_turn_is_found_after_its_limit() -> None:
    loops = StuckLoops({"a": 3, "b": 100})

    assert [loops.look({"a": 1.0, "b": 1.0}) for _ in range(5)] == [None, None, None, None, "a"]


def test_one_that_turns_or_rests_is_not() -> None:
    loops = StuckLoops({"a": 3})

    assert {loops.look({"a": float(second)}) for second in range(20)} == {None}
    assert {loops.look({}) for _ in range(20)} == {None}
    assert [loops.look({"a": 1.0}) for _ in range(4)] == [None] * 4


def test_time_that_passed_while_the_process_was_stopped_does_not_count() -> None:
    loops = StuckLoops({"a": 3})
    loops.look({"a": 1.0})

    assert loops.look({"a": 1.0}) is None  # it may be an hour later
    assert loops.look({"a": 3601.0}) is None


def test_the_actor_ends_the_process() -> None:
    ended = threading.Event()
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    actor = end_when_stuck({"a": 0}, lambda: {"a": 1.0}, end)
    thread = threading.Thread(target=actor.run)
    thread.start()

    assert ended.wait(10)
    actor.interrupt()
    thread.join(5)
    assert statuses[0] == STATUS
