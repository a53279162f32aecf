"""The watchdog ends a process one of whose loops hangs, and no other."""

import threading

from sidecar.watchdog import STATUS, Watch, watchdog


def test_a_loop_that_does_not_turn_is_found_after_its_limit() -> None:
    watch = Watch({"a": 3, "b": 100})

    assert [watch.look({"a": 1.0, "b": 1.0}) for _ in range(5)] == [None, None, None, None, "a"]


def test_one_that_turns_or_rests_is_not() -> None:
    watch = Watch({"a": 3})

    assert {watch.look({"a": float(second)}) for second in range(20)} == {None}
    assert {watch.look({}) for _ in range(20)} == {None}
    assert [watch.look({"a": 1.0}) for _ in range(4)] == [None] * 4


def test_time_that_passed_while_the_process_was_stopped_does_not_count() -> None:
    watch = Watch({"a": 3})
    watch.look({"a": 1.0})

    assert watch.look({"a": 1.0}) is None  # it may be an hour later
    assert watch.look({"a": 3601.0}) is None


def test_the_actor_ends_the_process() -> None:
    ended = threading.Event()
    statuses: list[int] = []
    actor = watchdog(
        {"a": 0}, lambda: {"a": 1.0}, lambda status: (statuses.append(status), ended.set())
    )
    thread = threading.Thread(target=actor.run)
    thread.start()

    assert ended.wait(10)
    actor.interrupt()
    thread.join(5)
    assert statuses[0] == STATUS
