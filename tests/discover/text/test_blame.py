"""Which listeners a refusal of HAProxy's is about."""

from dataclasses import replace

import pytest

from discover.model.proxy_config import Verbatim
from discover.text.blame import blamed
from tests.parts.configs import config_of
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
                "web:80": "snippet web.cfg line 7: config : Proxy 'web:80': "
                "unable to find required use_backend: 'here'."
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
def test_a_complaint_is_about_whom_its_line_or_its_proxy_is_of(
    alert: str, found: dict[str, str]
) -> None:
    assert {n: blame.why for n, blame in blamed([alert], FILE, TEXT, (BAD, DB)).items()} == found


def test_several_complaints_are_about_several() -> None:
    alerts = [f"parsing [{FILE}:{n}] : bad" for n in (5, 6, 10)]

    found = blamed(alerts, FILE, TEXT, (BAD, DB))

    assert {name: blame.exact for name, blame in found.items()} == {"web:80": True, "db:90": True}
    assert not blamed(alerts[1:2], FILE, TEXT, (BAD, DB))["web:80"].exact
