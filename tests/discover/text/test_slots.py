"""Who gets which slot at runtime, what a reload lays out, and that neither changes what stays."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from catalog.records.record import Instance
from discover.apply.plan import Noop, Reload, RuntimeUpdate, step_to
from discover.text.render import Rendered
from discover.text.sections import Section, ServerLine
from discover.text.slots import FEWEST_FREE, MOST_FREE, NOWHERE
from tests.parts.configs import AT_DOOR, LAYOUT, config_of
from tests.parts.records import instance, snapshot

HEAD = "listen whoami:8000"


def one(number: int, **fields: Any) -> Instance:
    return instance(number, **{"mode": "http", **fields})


def laid_out(
    *records: Instance, running: Rendered | None = None, anew: bool | None = None
) -> Rendered:
    """Return the text for records after another, or as a reload lays it out without one."""
    sections = running.sections if running else {}
    is_reload = running is None if anew is None else anew
    return LAYOUT.render(config_of(snapshot(*records)), sections, anew=is_reload)


def servers(rendered: Rendered, head: str = HEAD) -> Mapping[str, ServerLine]:
    return rendered.sections[head].servers


def used(rendered: Rendered) -> dict[str, str]:
    """Return the address in each slot that an instance has."""
    return {name: line.endpoint for name, line in servers(rendered).items() if not line.free}


def free(rendered: Rendered) -> list[str]:
    return [name for name, line in servers(rendered).items() if line.free]


def address(number: int) -> str:
    return f"{one(number).address}:{one(number).port}"


def name(number: int) -> str:
    return f"{number:012x}:8000"


def is_noop(wanted: Rendered, running: Rendered) -> bool:
    return isinstance(step_to(wanted, running), Noop)


def at_runtime(wanted: Rendered, running: Rendered) -> list[str]:
    """Return the changes that take no reload, in words."""
    step = step_to(wanted, running)
    assert isinstance(step, RuntimeUpdate), step
    return sorted(map(str, step.changes))


def test_a_reload_lays_out_a_slot_for_each_and_some_that_are_free() -> None:
    rendered = laid_out(one(1), one(2))

    assert len(used(rendered)) == 2
    assert len(free(rendered)) == FEWEST_FREE
    assert {servers(rendered)[name].endpoint for name in free(rendered)} == {NOWHERE}
    assert not rendered.uneven


def test_what_pools_need_stands_in_each_slot() -> None:
    words = {line.words for line in servers(laid_out(one(1))).values()}

    assert len(words) == 1
    assert "pool-purge-delay 100ms tcp-ut 3s" in words.pop()


def test_an_instance_that_comes_takes_a_free_slot() -> None:
    running = laid_out(one(1))

    rendered = laid_out(one(1), one(2), running=running)

    assert used(rendered).items() > used(running).items()
    assert len(free(rendered)) == len(free(running)) - 1
    assert at_runtime(rendered, running) == [f"whoami:8000 +{name(2)}"]


def test_an_instance_that_goes_leaves_its_slot_to_the_next_of_its_kind() -> None:
    first = laid_out(one(1), one(2))
    second = laid_out(one(2), running=first)
    assert at_runtime(second, first) == [f"whoami:8000 -{name(1)}"]
    assert len(free(second)) == FEWEST_FREE + 1

    third = laid_out(one(2), *(one(number) for number in (3, 4, 5)), running=second)

    assert len(free(third)) == 0
    assert servers(third).keys() == servers(first).keys()
    assert not any(seats.late for seats in third.seats.values())


def test_a_slot_that_nobody_had_is_taken_first_unless_the_instance_had_one() -> None:
    first = laid_out(one(1), one(2))
    [slot] = [name for name, endpoint in used(first).items() if endpoint == address(1)]
    second = laid_out(one(2), running=first)

    other = laid_out(one(2), one(3), running=second)
    same = laid_out(one(2), one(1), running=second)

    assert slot in free(other)
    assert used(same) == used(first)


def test_the_same_instances_change_nothing_whatever_came_before() -> None:
    running = laid_out(one(1))
    for numbers in ((1, 2), (2,), (2, 3, 4), (4, 5), (5,)):
        records = [one(number) for number in numbers]
        running = laid_out(*records, running=running)

        assert is_noop(laid_out(*records, running=running), running)


def test_without_a_free_slot_it_comes_late_and_without_a_pool() -> None:
    running = laid_out(one(1))
    many = [one(number) for number in range(1, FEWEST_FREE + 3)]

    rendered = laid_out(*many, running=running)

    late = servers(rendered).keys() - servers(running).keys()
    assert [servers(rendered)[name].words.split()[-2:] for name in late] == [["pool-max-conn", "0"]]
    assert rendered.uneven
    assert len(at_runtime(rendered, running)) == FEWEST_FREE + 1


def test_a_reload_gives_those_a_slot_that_came_late_and_keeps_the_others() -> None:
    running = laid_out(one(1))
    many = [one(number) for number in range(1, FEWEST_FREE + 3)]
    late = laid_out(*many, running=running)

    rendered = laid_out(*many, running=late, anew=True)

    assert used(rendered).items() >= used(running).items()
    assert len(used(rendered)) == len(many)
    assert not rendered.uneven
    assert "pool-max-conn" not in rendered.text


def test_a_reload_leaves_alone_what_is_as_it_would_lay_it_out() -> None:
    first = laid_out(one(1))
    running = laid_out(one(2), running=laid_out(one(1), one(2), running=first))

    again = laid_out(one(2), running=running, anew=True)

    assert servers(again) == servers(running)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, 2), (4, 2), (8, 3), (40, 11), (400, MOST_FREE)]
)
def test_how_many_are_free(count: int, expected: int) -> None:
    many = [one(number) for number in range(1, count + 1)]

    assert len(free(laid_out(*many))) == expected


@pytest.mark.parametrize(
    "fields",
    [{"slow_start_ms": 500}, {"maxconn": 3}, {"role": "stub"}, {"canary": "X-Canary=on"}],
    ids=str,
)
def test_an_instance_of_another_kind_takes_no_slot_of_the_usual_one(fields: Any) -> None:
    running = laid_out(one(1), one(2, canary="X-Canary=on"))
    other = one(3, **fields)

    rendered = laid_out(one(1), one(2, canary="X-Canary=on"), other, running=running)

    [slot] = [name for name, endpoint in used(rendered).items() if endpoint == address(3)]
    before = servers(running).get(slot)
    assert before is None or before.words == servers(rendered)[slot].words
    assert len(at_runtime(rendered, running)) in (1, 2)  # a canary stands in two backends


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "stub"},
        {"canary": "X-Canary=on"},
        {"slow_start_ms": 1500},
        {"maxconn": 3},
        {"sticky": "cookie"},
        {"proto": "h2c"},
        {"reuse": "never"},
        {"retry": "connect"},
        {"mode": "tcp"},
        {"weight": 0},
        {"state": "draining"},
    ],
    ids=str,
)
def test_what_every_kind_leaves_is_read_back_as_it_was_laid_out(fields: Any) -> None:
    """Else a service would take a reload each time that an instance of it goes."""
    running = laid_out(one(1, **fields), one(2, **fields))

    gone = laid_out(one(2, **fields), running=running)
    back = laid_out(one(1, **fields), one(2, **fields), running=gone)

    assert all(
        change == f"whoami:8000 -{name(1)}" or ":canary" in change
        for change in at_runtime(gone, running)
    )
    assert all(
        change == f"whoami:8000 +{name(1)}" or ":canary" in change
        for change in at_runtime(back, gone)
    )
    assert back.sections == running.sections


def test_each_client_keeps_its_instance_so_none_takes_the_slot_of_another() -> None:
    running = laid_out(one(1, sticky="cookie"), one(2, sticky="cookie"))
    assert free(running) == []

    rendered = laid_out(one(2, sticky="cookie"), one(3, sticky="cookie"), running=running)

    cookies = [line.words for line in servers(rendered).values()]
    assert len(set(cookies)) == 3


def test_another_option_of_an_instance_that_stays_takes_a_reload() -> None:
    running = laid_out(one(1))

    changed = laid_out(one(1, maxconn=7), running=running)

    assert isinstance(step_to(changed, running), Reload)


def test_a_service_behind_the_door_keeps_its_instances_names_until_a_reload() -> None:
    spare = replace(config_of(snapshot(one(1))).listeners[0], name="seat-1", binds=())
    config = replace(config_of(snapshot(), AT_DOOR), listeners=(spare,))
    nothing = {"backend seat-1": Section("backend seat-1", (), {})}

    rendered = LAYOUT.render(config, nothing)

    [(name, line)] = rendered.sections["backend seat-1"].servers.items()
    assert name == "000000000001:8000"
    assert line.words.endswith("pool-max-conn 0")
    assert rendered.uneven


def test_servers_that_an_older_version_named_keep_running_until_a_reload_gives_them_slots() -> None:
    old = LAYOUT.render(config_of(snapshot(one(1))))
    assert used(old) == {"000000000001:8000": address(1)}

    rendered = laid_out(one(1), running=old)
    anew = laid_out(one(1), running=rendered, anew=True)

    assert is_noop(rendered, old)
    assert set(used(anew)) == {"slot-1"}
