"""The template: the same configuration gives the same text; no value becomes another word."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.records.record import Check
from discover.model.proxy_config import Listener, ProxyConfig
from discover.text.marker import marker_of, next_marker
from discover.text.render import Layout, rendered_of
from tests.parts.configs import LAYOUT, POLICY, config_of, section
from tests.parts.records import instance, snapshot

CHECK = "fastinter 500ms downinter 1s fall 2 rise 1 observe layer4 error-limit 3 on-error fastinter"
SERVER = "server 000000000001:8000 10.0.0.1:32001"
TAKES_OVER = "on-marked-up shutdown-backup-sessions"
MARKER = "global\n    description {{ marker }}\n"


def lines(config: ProxyConfig) -> list[str]:
    return LAYOUT.render(config).text.splitlines()


def test_the_same_configuration_gives_the_same_text() -> None:
    one = LAYOUT.render(config_of(snapshot(instance(1), instance(2))))
    two = LAYOUT.render(config_of(snapshot(instance(1), instance(2))))

    assert one == two


def test_the_marker_is_in_the_text_and_is_never_the_one_that_is_shown() -> None:
    rendered = LAYOUT.render(config_of(snapshot(instance(1))))
    first = next_marker(rendered.text, None)
    second = next_marker(rendered.text, first)

    assert marker_of(rendered.marked(first)) == first
    assert first != second
    read = [rendered_of(rendered.marked(marker)) for marker in (first, second)]
    assert read == [rendered, rendered]
    assert {each.text for each in read} == {rendered.text}


def test_a_tcp_service_is_laid_out() -> None:
    assert section(config_of(snapshot(instance(1))), "listen whoami:8000") == [
        "listen whoami:8000",
        "mode tcp",
        "bind 127.0.0.1:8000",
        "bind 172.17.0.1:8000",
        "timeout client 1h",
        'log-format "${TANDEM_TCP_CALL}"',
        "option clitcpka",
        "balance roundrobin",
        "timeout server 1h",
        "option srvtcpka",
        "# a silent connection to a host that died ends after a minute, not after timeout server",
        "srvtcpka-idle 30s",
        "srvtcpka-intvl 10s",
        "srvtcpka-cnt 3",
        f"{SERVER} weight 100 check inter 2000ms {CHECK} {TAKES_OVER}",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"weight": 7},
            f"{SERVER} weight 7 check inter 2000ms {CHECK} {TAKES_OVER}",
        ),
        (
            {"state": "draining"},
            f"{SERVER} weight 0 check inter 2000ms {CHECK} {TAKES_OVER}",
        ),
        (
            {"role": "stub"},
            f"{SERVER} weight 100 check inter 2000ms {CHECK} backup",
        ),
        ({"check": Check("none")}, f"{SERVER} weight 100"),
        (
            {"check": Check(interval_ms=500)},
            f"{SERVER} weight 100 check inter 500ms {CHECK} {TAKES_OVER}",
        ),
        ({"check": Check(timeout_ms=300)}, "timeout check 300ms"),
        ({"check": Check("http", "/a?b=c&d=%20;e")}, "option httpchk"),
        (
            {"check": Check("http", "/a?b=c&d=%20;e")},
            "http-check send meth GET uri /a?b=c&d=%20;e ver HTTP/1.1 hdr Host whoami",
        ),
        ({"balance": "leastconn"}, "balance leastconn"),
        ({"balance": "source"}, "hash-type consistent"),
        ({"timeout_ms": 1500}, "timeout server 1500ms"),
        ({"mode": "http"}, "option idle-close-on-response"),
        ({"mode": "http"}, "http-request disable-l7-retry unless { method GET HEAD OPTIONS }"),
        ({"mode": "http", "retry": "connect"}, "retry-on conn-failure"),
        ({"mode": "http", "sticky": "cookie"}, "cookie TANDEM insert indirect nocache"),
    ],
)
def test_what_an_instance_asks_for_is_laid_out(changes: dict[str, Any], line: str) -> None:
    assert line in section(config_of(snapshot(instance(1, **changes))), "listen whoami:8000")


def test_only_idempotent_requests_are_replayed_unless_the_service_says_so() -> None:
    by_default = section(config_of(snapshot(instance(1, mode="http"))), "listen whoami:8000")
    asked_for = section(
        config_of(snapshot(instance(1, mode="http", retry="all"))), "listen whoami:8000"
    )

    assert any("disable-l7-retry" in line for line in by_default)
    assert not any("disable-l7-retry" in line for line in asked_for)


def test_an_old_worker_ends_after_so_many_hours_at_the_latest() -> None:
    config = config_of(snapshot(instance(1)))

    for hours in (168, 3):
        process = replace(config.process, old_workers_hours=hours)
        assert f"    hard-stop-after {hours}h" in lines(replace(config, process=process))


def test_without_a_stats_address_there_is_no_stats_page() -> None:
    config = replace(config_of(snapshot(instance(1))), process=replace(POLICY.process, stats=None))

    assert "frontend stats" not in lines(config)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (MARKER + "{% for x in listeners %}\n", "template t line 3: "),
        (MARKER + "\n{{ no_such_name }}\n", "template t line 4: 'no_such_name' is undefined"),
        (MARKER + "{{ listeners[0].nope }}\n", "template t line 3: "),
        (MARKER + "{{ 1 // 0 }}\n", "template t line 3: "),
        (MARKER + "{{ process.user.upper() }}\n", "template t line 3: "),
        (
            MARKER + "{{ 'two words' }}\n",
            "template t line 3: 'two words' has a character that is not allowed in values",
        ),
        (MARKER + "{{ ().__class__.__mro__ }}\n", "template t line 3: "),
        (MARKER + "{% include '/etc/passwd' %}\n", "template t line 3: "),
        ("global\n", "template t: the marker is missing"),
    ],
)
def test_a_bad_template_is_refused_in_one_line(template: str, message: str) -> None:
    with pytest.raises(Rejected) as refused:
        Layout(template, "t").render(config_of(snapshot(instance(1))))

    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=40))
def test_no_value_can_begin_another_word_or_line(value: str) -> None:
    listener: Listener = replace(config_of(snapshot(instance(1))).listeners[0], name=value)
    config = ProxyConfig(POLICY.process, (listener,))

    try:
        text = Layout(MARKER + "listen {{ listeners[0].name }} end\n", "t").render(config).text
    except Rejected:
        return

    assert text.splitlines()[2] == f"listen {value} end"
    assert not set(value) & set(" \t\n\r\"'\\#${}")
