"""Whom a refusal of HAProxy's is about, what is laid out for them meanwhile, and when they are tried again."""

from dataclasses import replace

import pytest

from discover.apply.quarantine import Blame, Quarantine, blamed, culprit
from discover.model.config import Listener, ProxyConfig, Verbatim
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
FILE = "/state/haproxy.cfg.candidate"
TEXT = """\
global
    nbthread 1
listen web:80
    mode tcp
    nonsense here
    server a 10.0.0.1:80
backend web:80:panic
    mode tcp
listen db:90
    mode tcp
peers other
    peer x
"""
EXACT, ANY = Blame("why", exact=True), Blame("why", exact=False)


def config(*listeners: Listener) -> ProxyConfig:
    return ProxyConfig(PROCESS, listeners)


@pytest.mark.parametrize(
    ("alert", "found"),
    [
        (
            f"parsing [{FILE}:5] : unknown keyword 'nonsense'",
            {"web:80": "snippet web.cfg line 7: unknown keyword 'nonsense'"},
        ),
        (f"parsing [{FILE}:4] : bad mode", {"web:80": "bad mode [mode tcp]"}),
        (f"parsing [{FILE}:8] : bad mode", {"web:80": "bad mode [mode tcp]"}),
        (
            f"[{FILE}:10] : 'server db:90/x' : invalid port",
            {"db:90": "'server db:90/x' : invalid port [mode tcp]"},
        ),
        ("config : proxy 'db:90' has no mode", {"db:90": "config : proxy 'db:90' has no mode"}),
        ("config : 'server web:80/a' : bad", {"web:80": "config : 'server web:80/a' : bad"}),
        (
            "config : backend 'web:80:panic': bad",
            {"web:80": "config : backend 'web:80:panic': bad"},
        ),
        (
            "config : Proxy 'web:80': unable to find required use_backend: 'here'.",
            {
                "web:80": "snippet web.cfg line 7: config : Proxy 'web:80': unable to find required use_backend: 'here'."
            },
        ),
        (f"parsing [{FILE}:2] : bad", {}),
        (f"parsing [{FILE}:12] : bad", {}),
        (f"parsing [{FILE}:99] : bad", {}),
        ("parsing [/other:5] : bad", {}),
        (f"Error(s) found in configuration file : {FILE}", {}),
        ("no reason given", {}),
    ],
)
def test_a_complaint_is_about_whom_its_line_or_its_proxy_is_of(alert, found):
    assert {n: blame.why for n, blame in blamed([alert], FILE, TEXT, (BAD, DB)).items()} == found


def test_several_complaints_are_about_several():
    alerts = [f"parsing [{FILE}:{n}] : bad" for n in (5, 6, 10)]

    found = blamed(alerts, FILE, TEXT, (BAD, DB))

    assert {name: blame.exact for name, blame in found.items()} == {"web:80": True, "db:90": True}
    assert not blamed(alerts[1:2], FILE, TEXT, (BAD, DB))["web:80"].exact


def test_who_ran_stays_in_its_last_good_form_with_the_servers_of_now():
    it = Quarantine()
    it.laid_out(config(BAD, DB))

    assert it.hold(BAD, WEB, EXACT)

    fewer = replace(BAD, servers=BAD.servers[:1])
    assert it.laid_out(config(fewer, DB)) == config(replace(WEB, servers=BAD.servers[:1]), DB)
    assert it.problems["web:80"].code == "QUARANTINED"
    assert it.problems["web:80"].text == "web:80 stays as it was: why"


def test_a_held_one_is_the_same_object_while_nothing_changes():
    it = Quarantine()
    it.hold(BAD, WEB, EXACT)

    assert it.laid_out(config(BAD)).listeners[0] is it.laid_out(config(BAD)).listeners[0]


def test_who_never_ran_is_left_out():
    it = Quarantine()

    assert it.hold(BAD, None, EXACT)

    assert it.laid_out(config(BAD, DB)) == config(DB)
    assert it.problems["web:80"].text == "web:80 is left out: why"
    assert not it.hold(BAD, None, EXACT)


def test_whose_new_servers_are_refused_too_keeps_those_that_stay():
    it = Quarantine()
    other = replace(WEB.servers[1], name="new")
    wanted = replace(BAD, servers=(replace(WEB.servers[0], draining=True), other))

    assert it.hold(wanted, WEB, ANY)
    assert it.laid_out(config(wanted)).listeners[0].servers == wanted.servers
    assert it.hold(wanted, WEB, ANY)
    assert it.laid_out(config(wanted)).listeners == (replace(WEB, servers=wanted.servers[:1]),)
    assert not it.hold(wanted, WEB, ANY)


def test_who_runs_as_it_is_cannot_be_held():
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
def test_it_is_tried_again_when_what_may_be_wrong_changes(blame, now, again):
    it = Quarantine()
    it.hold(BAD, WEB, blame)

    laid_out = it.laid_out(config(now, DB))

    assert (laid_out == config(now, DB)) == again
    assert bool(it.problems) == (not again)


def test_who_is_gone_is_forgotten():
    it = Quarantine()
    it.hold(BAD, WEB, EXACT)

    assert it.laid_out(config(DB)) == config(DB)
    assert it.problems == {}


@pytest.mark.parametrize("bad", ["s0", "s1", "s63", "s99"])
def test_a_culprit_is_found_by_halves(bad):
    asked = []

    def refused(names: frozenset[str]) -> bool:
        asked.append(names)
        return bad in names

    assert culprit([f"s{n}" for n in range(100)], refused) == bad
    assert len(asked) <= 7
