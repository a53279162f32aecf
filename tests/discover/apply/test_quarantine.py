"""What is laid out for listeners that HAProxy refuses, and when they are tried again."""

from dataclasses import replace
from typing import Any

import pytest

from discover.apply.quarantine import Quarantine, culprit
from discover.model.proxy_config import Listener, ProxyConfig, Verbatim
from discover.text.blame import Blame
from tests.parts.configs import PROCESS, config_of
from tests.parts.records import instance, snapshot

WEB, DB = config_of(
    snapshot(
        instance(1, "web", service_port=80),
        instance(2, "web", service_port=80),
        instance(3, "db", service_port=90),
    )
).listeners[::-1]
LINE = Verbatim("nonsense here")
LINE.origin = "snippet web.cfg line 7"
BAD = replace(WEB, snippet=(LINE,))
EXACT, ANY = Blame("why", exact=True), Blame("why", exact=False)


def config(*listeners: Listener) -> ProxyConfig:
    return ProxyConfig(PROCESS, listeners)


def test_who_ran_stays_in_its_last_good_form_with_the_servers_of_now() -> None:
    it = Quarantine()
    it.laid_out(config(BAD, DB))

    assert it.hold(BAD, WEB, EXACT)

    fewer = replace(BAD, servers=BAD.servers[:1])
    assert it.laid_out(config(fewer, DB)) == config(replace(WEB, servers=BAD.servers[:1]), DB)
    assert it.problems["web:80"].code == "QUARANTINED"
    assert it.problems["web:80"].text == "web:80 keeps its last good form: why"


def test_a_held_one_is_the_same_object_while_nothing_changes() -> None:
    it = Quarantine()
    it.hold(BAD, WEB, EXACT)

    assert it.laid_out(config(BAD)).listeners[0] is it.laid_out(config(BAD)).listeners[0]


def test_who_never_ran_is_left_out() -> None:
    it = Quarantine()

    assert it.hold(BAD, None, EXACT)

    assert it.laid_out(config(BAD, DB)) == config(DB)
    assert it.problems["web:80"].text == "web:80 is left out: why"
    assert not it.hold(BAD, None, EXACT)


def test_whose_new_servers_are_refused_too_keeps_those_that_stay() -> None:
    it = Quarantine()
    other = replace(WEB.servers[1], name="new")
    wanted = replace(BAD, servers=(replace(WEB.servers[0], draining=True), other))

    assert it.hold(wanted, WEB, ANY)
    assert it.laid_out(config(wanted)).listeners[0].servers == wanted.servers
    assert it.hold(wanted, WEB, ANY)
    assert it.laid_out(config(wanted)).listeners == (replace(WEB, servers=wanted.servers[:1]),)
    assert not it.hold(wanted, WEB, ANY)


def test_who_runs_as_it_is_cannot_be_held() -> None:
    assert not Quarantine().hold(WEB, WEB, ANY)


@pytest.mark.parametrize(
    ("blame", "now", "again"),
    [
        (EXACT, BAD, False),
        (EXACT, replace(BAD, servers=()), False),
        (EXACT, replace(BAD, snippet=()), True),
        (EXACT, replace(BAD, mode="http"), True),
        (
            ANY,
            replace(
                BAD, servers=(replace(BAD.servers[0], weight=0, draining=True), BAD.servers[1])
            ),
            False,
        ),
        (ANY, replace(BAD, servers=BAD.servers[:1]), True),
    ],
)
def test_it_is_tried_again_when_what_may_be_wrong_changes(
    blame: Any, now: Any, again: bool
) -> None:
    it = Quarantine()
    it.hold(BAD, WEB, blame)

    it.let_go(config(now, DB))

    assert (it.laid_out(config(now, DB)) == config(now, DB)) == again
    assert bool(it.problems) == (not again)


def test_who_is_gone_is_forgotten() -> None:
    it = Quarantine()
    it.hold(BAD, WEB, EXACT)

    it.let_go(config(DB))

    assert it.laid_out(config(DB)) == config(DB)
    assert it.problems == {}


@pytest.mark.parametrize("bad", ["s0", "s1", "s63", "s99"])
def test_a_culprit_is_found_by_halves(bad: str) -> None:
    asked = []

    def refused(names: frozenset[str]) -> bool:
        asked.append(names)
        return bad in names

    assert culprit([f"s{n}" for n in range(100)], refused) == bad
    assert len(asked) <= 7
