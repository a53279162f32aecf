"""When a container restarts too often, and when it may be offered again."""

from register.container import Container
from register.crashloop import MIN_UP_MAX_S, Life, followed, is_looping
from tests.parts.containers import ID, container


def crash(number: int, *, restarting: bool = False) -> Container:
    return container(restart_count=number, started_ns=number + 1, restarting=restarting)


def seen(*lists: tuple[float, Container]) -> dict[str, Life]:
    lives: dict[str, Life] = {}
    for now_s, each in lists:
        lives = followed(lives, [each], now_s)
    return lives


def test_three_restarts_within_a_minute_hold_it_back_for_three_seconds() -> None:
    lists = [(float(number), crash(number)) for number in range(4)]

    lives = seen(*lists)

    assert is_looping(crash(3), lives[ID], 3.0)
    assert is_looping(crash(3), lives[ID], 5.9)
    assert not is_looping(crash(3), lives[ID], 6.0)
    assert lives[ID].due_s == 6.0


def test_two_restarts_or_three_in_a_longer_time_do_not() -> None:
    assert not is_looping(crash(2), seen(*[(float(n), crash(n)) for n in range(3)])[ID], 2.0)
    assert not is_looping(crash(3), seen(*[(n * 31.0, crash(n)) for n in range(4)])[ID], 93.0)


def test_restarts_between_two_lists_are_counted() -> None:
    lives = seen((0.0, crash(0)), (1.0, crash(5)))

    assert is_looping(crash(5), lives[ID], 1.0)


def test_it_counts_while_docker_waits_to_restart_it() -> None:
    dead = container(restart_count=3, restarting=True)

    lives = seen((0.0, container()), (1.0, dead))

    assert is_looping(dead, lives[ID], 100.0)


def test_the_time_doubles_up_to_a_minute() -> None:
    lists = [(float(number), crash(number)) for number in range(12)]

    waits = [seen(*lists[: count + 1])[ID].min_up_s for count in range(2, 12)]

    assert waits == [0, 3, 6, 12, 24, 48, 60, 60, 60, 60]
    assert max(waits) == MIN_UP_MAX_S


def test_a_start_by_hand_begins_anew() -> None:
    lists = [(float(number), crash(number)) for number in range(4)]

    lives = seen(*lists, (4.0, container(restart_count=0, started_ns=99)))

    assert not is_looping(container(), lives[ID], 4.0)


def test_a_container_first_seen_is_trusted_and_a_gone_one_forgotten() -> None:
    lives = seen((0.0, crash(50)))

    assert not is_looping(crash(50), lives[ID], 0.0)
    assert followed(lives, [], 1.0) == {}
