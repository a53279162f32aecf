"""When a container restarts too often, and when it may be offered again."""

from register.docker.container import Container
from register.ready.crash_loop import MIN_UP_MAX_S, History, followed, is_looping, well_from_s
from tests.parts.containers import ID, container


def crash(number: int, *, restarting: bool = False) -> Container:
    return container(restart_count=number, started_ns=number + 1, restarting=restarting)


def seen(*lists: tuple[float, Container]) -> dict[str, History]:
    histories: dict[str, History] = {}
    for now_s, listed in lists:
        histories = followed(histories, [listed], now_s)
    return histories


def test_a_crash_within_ten_seconds_holds_the_next_life_back_for_ten() -> None:
    histories = seen((0.0, crash(0)), (3.0, crash(1)))

    assert is_looping(crash(1), histories[ID], 3.0)
    assert is_looping(crash(1), histories[ID], 12.9)
    assert not is_looping(crash(1), histories[ID], 13.0)
    assert histories[ID].due_s == 13.0


def test_a_crash_after_a_longer_life_does_not() -> None:
    assert not is_looping(crash(1), seen((0.0, crash(0)), (10.0, crash(1)))[ID], 10.0)


def test_a_crash_that_is_seen_before_the_next_start_counts_from_there() -> None:
    dying = container(restart_count=1, started_ns=1, restarting=True)

    histories = seen((0.0, crash(0)), (3.0, dying), (4.0, crash(1)))

    assert histories[ID].due_s == 14.0


def test_restarts_between_two_lists_are_counted() -> None:
    histories = seen((0.0, crash(0)), (30.0, crash(5)))

    assert is_looping(crash(5), histories[ID], 30.0)


def test_it_counts_while_docker_waits_to_restart_it() -> None:
    dead = container(restart_count=3, restarting=True)

    histories = seen((0.0, container()), (1.0, dead))

    assert is_looping(dead, histories[ID], 100.0)


def test_the_time_doubles_up_to_a_minute() -> None:
    lists = [(float(number), crash(number)) for number in range(12)]

    waits = [seen(*lists[: count + 1])[ID].min_up_s for count in range(6)]

    assert waits == [0, 10, 20, 40, 60, 60]
    assert max(waits) == MIN_UP_MAX_S


def test_a_start_by_hand_begins_anew() -> None:
    lists = [(float(number), crash(number)) for number in range(4)]

    histories = seen(*lists, (4.0, container(restart_count=0, started_ns=99)))

    assert not is_looping(container(), histories[ID], 4.0)


def test_a_container_first_seen_is_trusted_and_a_gone_one_forgotten() -> None:
    histories = seen((0.0, crash(50)))

    assert not is_looping(crash(50), histories[ID], 0.0)
    assert followed(histories, [], 1.0) == {}


def feeling(*times: float) -> History:
    """Return the history of a container that turns sick at the first time, well at the second."""
    well, sick = container(health="healthy"), container(health="unhealthy")
    lists = [(at_s, well if number % 2 else sick) for number, at_s in enumerate(times)]
    return seen((0.0, well), *lists)[ID]


def test_who_was_ill_once_is_believed_at_once() -> None:
    assert well_from_s(feeling(5.0, 6.0), 6.0) == 6.0


def test_who_was_ill_twice_in_a_minute_must_be_well_for_ten_seconds() -> None:
    assert well_from_s(feeling(5.0, 6.0, 7.0, 8.0), 8.0) == 18.0


def test_that_is_forgotten_after_a_minute() -> None:
    assert well_from_s(feeling(5.0, 6.0, 70.0, 71.0), 71.0) == 71.0


def test_a_pause_counts_as_illness() -> None:
    histories = seen((0.0, container()), (1.0, container(paused=True)), (2.0, container()))

    assert histories[ID].sick_at_s == (1.0,)
    assert not histories[ID].is_sick
