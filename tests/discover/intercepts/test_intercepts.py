"""Which calls an override leads away here, by which backend, and what takes a reload."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from catalog.keys import OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing
from catalog.records.record import Instance
from discover.apply.plan import Noop, Reload, RuntimeUpdate, keeping_structure, step_to
from discover.apply.runtime import route_commands
from discover.intercepts.slots import FEWEST, with_slots
from discover.intercepts.wanted import Overrides, intercepted, leading, not_led
from discover.model.build import build
from discover.model.http_routes import door_map
from discover.model.proxy_config import ProxyConfig
from discover.model.spare_backends import in_spare_backends, under_own_names, with_spare_backends
from tests.parts.configs import AT_DOOR, LAYOUT, POLICY
from tests.parts.records import instance, snapshot, web

LAPTOP = "192.0.2.77:9000"
ANNA = {"x1": {"header": "x-dev=anna"}}


def standings(**overrides: Mapping[str, Any]) -> dict[OverrideKey, Standing]:
    """Return intercepts of shop, by id, in the order of their age."""
    return {
        OverrideKey(str(given.get("service", "shop")), id_): Standing(
            override(**{name: value for name, value in given.items() if name != "service"}),
            "",
            created,
            leased=True,
        )
        for created, (id_, given) in enumerate(overrides.items(), start=1)
    }


def override(**fields: Any) -> Override:
    return Override(**{"by": "anna@box", "to": LAPTOP, **fields})


def config_of(*records: Instance, **overrides: Mapping[str, Any]) -> ProxyConfig:
    return led(build(snapshot(*records), POLICY)[0], **overrides)


def led(config: ProxyConfig, **overrides: Mapping[str, Any]) -> ProxyConfig:
    return intercepted(config, Overrides(leading(standings(**overrides), {"h1"})))


def why_not(config: ProxyConfig) -> str:
    [problem] = not_led(config).values()
    assert (problem.code, config.intercepts) == ("NOT_INTERCEPTED", ())
    return problem.text


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"header": "X-Dev=anna"}, "shop:8000!x-dev=anna/"),
        ({"header": "x-dev"}, "shop:8000!x-dev="),
        ({"path": "/api"}, "shop:8000!/api/"),
        ({"path": "/api/"}, "shop:8000!/api/"),
        ({}, "shop:8000!/"),
        ({"port": 8000}, "shop:8000!/"),
    ],
)
def test_calls_are_led_by_the_map(fields: Mapping[str, Any], key: str) -> None:
    config = with_slots(config_of(web(1), web(2, "pets", service_port=8001), x1=fields), None)
    assert door_map(config) == {
        "intercept-http-1+": "anna@box",
        "shop:8000+": "shop",
        key: "intercept-http-1",
    }
    assert route_commands((), "m") == ()


def test_tcp_has_all_its_calls_led() -> None:
    config = with_slots(config_of(instance(1, "shop"), x1={}), None)
    assert door_map(config) == {
        "intercept-tcp-1+": "anna@box",
        "shop:8000+": "intercept-tcp-1",
    }
    why = why_not(config_of(instance(1, "shop"), x1={"header": "x-dev=anna"}))
    assert "tcp mode" in why


def test_what_cannot_be_is_refused_with_its_reason() -> None:
    assert "has no shop" in why_not(config_of(web(1, "pets"), **ANNA))
    assert "has no shop:81" in why_not(config_of(web(1), x1={"port": 81}))
    assert "a header and a path" in why_not(config_of(web(1), x1={"header": "a=b", "path": "/c"}))


def test_of_two_that_want_the_same_the_older_wins() -> None:
    both = {**ANNA, "x2": {"header": "X-DEV=anna", "by": "bob@box"}}
    config = config_of(web(1), **both)
    assert [each.id for each in config.intercepts] == ["x1"]
    [problem] = not_led(config).values()
    assert "anna@box intercepts the same" in problem.text

    config = config_of(web(1), **ANNA, x2={"header": "x-dev=bob"}, x3={"path": "/"})
    assert len(config.intercepts) == 3
    assert not config.not_intercepted


def test_it_counts_only_where_it_shall() -> None:
    assert config_of(web(1), x1={"only": ("h2",)}).intercepts == ()
    assert len(config_of(web(1), x1={"only": ("h2", "h1")}).intercepts) == 1


def test_a_circle_is_refused() -> None:
    config = build(snapshot(web(1)), POLICY)[0]
    found = leading(standings(x1={"to": "192.0.2.1:8000"}), {"h1"})
    own = frozenset({"192.0.2.1"})
    assert "in a circle" in why_not(intercepted(config, Overrides(found, own)))
    assert intercepted(config, Overrides(found, frozenset())).intercepts
    other = leading(standings(x1={"to": "192.0.2.1:9000"}), {"h1"})
    assert intercepted(config, Overrides(other, own)).intercepts


def test_owner_and_key_reach_haproxy_as_plain_words_only() -> None:
    given = {"by": "anna; show\\n <x>", "header": "x-dev=anna"}
    config = with_slots(config_of(web(1), x1=given), None)
    assert door_map(config)["intercept-http-1+"] == "anna-show-n-x-"


def test_nothing_is_laid_out_for_nobody() -> None:
    config = config_of(web(1))
    assert with_slots(config, None) is config
    assert "intercept" not in LAYOUT.render(config).text


def laid_out(
    *records: Instance, running: ProxyConfig | None, **overrides: Mapping[str, Any]
) -> ProxyConfig:
    config = led(build(snapshot(*records), AT_DOOR)[0], **overrides)
    if running is None:
        return with_slots(with_spare_backends(config), None, anew=True)
    return with_slots(in_spare_backends(config, running), running)


def test_the_first_takes_a_reload_and_all_later_ones_none() -> None:
    records = (web(1), web(2, "pets", service_port=8001))
    none = laid_out(*records, running=None)
    first = laid_out(*records, running=none, **ANNA)
    before, after = LAYOUT.render(none, {}), LAYOUT.render(first, {})
    assert isinstance(step_to(after, before), Reload)

    running, text = first, after
    for overrides in (
        {},
        {"x2": {"path": "/api"}, "x3": {"header": "x-dev", "service": "pets"}},
        {**ANNA, "x3": {"header": "x-dev", "service": "pets"}},
        {},
    ):
        wanted = laid_out(*records, running=running, **overrides)
        rendered = LAYOUT.render(wanted, text.sections)
        assert isinstance(step_to(rendered, text), RuntimeUpdate)
        running, text = wanted, rendered
    assert isinstance(step_to(LAYOUT.render(running, text.sections), text), Noop)

    other = laid_out(*records, running=running, x4={"header": "x-other=1"})
    step = step_to(LAYOUT.render(other, text.sections), text)
    assert isinstance(step, Reload), "HAProxy has to look at another header"
    assert other.process.intercepting is not None
    assert other.process.intercepting.headers == ("x-dev", "x-other")


def test_who_has_a_backend_keeps_it_and_one_that_just_ended_is_not_used_at_once() -> None:
    first = laid_out(web(1), running=None, **ANNA, x2={"path": "/b"})
    assert [each.backend for each in first.intercepts] == ["intercept-http-1", "intercept-http-2"]
    then = laid_out(web(1), running=first, x2={"path": "/b"}, x3={"path": "/c"})
    assert [each.backend for each in then.intercepts] == ["intercept-http-2", "intercept-http-3"]
    last = laid_out(web(1), running=then, x4={"path": "/d"})
    assert [each.backend for each in last.intercepts] == ["intercept-http-1"]


def test_more_than_there_are_backends_take_a_reload_that_has_room() -> None:
    many = {f"x{n}": {"path": f"/{n}"} for n in range(FEWEST["http"] + 1)}
    full = laid_out(web(1), running=laid_out(web(1), running=None, **ANNA), **many)
    names = [it.name for it in full.listeners if it.name.startswith("intercept-http-")]
    assert len(names) == FEWEST["http"] + 1 == len({each.backend for each in full.intercepts})

    reloaded = with_slots(config_of(web(1), **many), full, anew=True)
    names = [it.name for it in reloaded.listeners if it.name.startswith("intercept-http-")]
    assert len(names) == 4 * FEWEST["http"]


def test_what_ended_ends_though_a_reload_is_due() -> None:
    running = laid_out(web(1), running=None, **ANNA)
    wanted = laid_out(web(1, sticky="cookie"), running=running)
    kept = keeping_structure(running, wanted)
    assert (kept.intercepts, door_map(running) != door_map(kept)) == ((), True)
    slot = next(it for it in kept.listeners if it.name == "intercept-http-1")
    assert slot.servers == ()


def test_backends_for_intercepts_are_of_no_service() -> None:
    running = laid_out(web(1), running=None, **ANNA)
    assert {it.service for it in under_own_names(running).listeners} == {"shop"}
    without_door = replace(running, process=replace(running.process, door=None))
    assert {it.service for it in under_own_names(without_door).listeners} == {"shop"}
