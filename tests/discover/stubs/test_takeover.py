"""Whose connections end when a real instance takes over from a stub, and which workers are told."""

from collections.abc import Mapping
from typing import Any

import pytest

from discover.stubs.takeover import each_shutdown, held_by, old_workers, questions, superseded
from discover.text.sections import Section, sections_of
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

STUB = "server stub 10.0.0.1:80 weight 100 check backup"
REAL = "server real 10.0.0.2:80 weight {} check on-marked-up shutdown-backup-sessions"
OTHER = "server other 10.0.0.3:80 weight 100 check on-marked-up shutdown-backup-sessions"


def sections(*servers: str, name: str = "a:80") -> Mapping[str, Section]:
    return sections_of("\n".join([f"listen {name}", "mode tcp", *servers]))


TABLE = [
    ("the first real one comes", sections(STUB), sections(STUB, REAL.format(100)), ("a:80/stub",)),
    ("with a reload", {}, sections(STUB, REAL.format(100)), ("a:80/stub",)),
    (
        "it is called again",
        sections(STUB, REAL.format(0)),
        sections(STUB, REAL.format(100)),
        ("a:80/stub",),
    ),
    ("it comes, but drains", sections(STUB), sections(STUB, REAL.format(0)), ()),
    ("a second one comes", sections(STUB, OTHER), sections(STUB, OTHER, REAL.format(100)), ()),
    ("a stub comes beside it", sections(OTHER), sections(STUB, OTHER), ()),
    ("it goes", sections(STUB, OTHER), sections(STUB), ()),
    ("there is no stub", sections(), sections(OTHER), ()),
    (
        "fallback: open ones stay",
        sections(STUB),
        sections(STUB, "server real 10.0.0.2:80 weight 100 check"),
        (),
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "ended"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_connections_to_stubs_end_when_the_first_real_one_can_be_called(
    before: Any, after: Any, ended: Any
) -> None:
    assert superseded(before, after) == ended


PROCESSES = """#<PID>          <type>          <reloads>       <uptime>        <version>
16              master          5               0d00h01m20s     3.0.11
# workers
321             worker          0               0d00h00m20s     3.0.11
# old workers
84              worker          1               0d00h01m00s     3.0.11
[was: 1]        worker          1               0d00h01m00s     3.0.11
80              worker          2               0d00h01m10s     3.0.11
# programs
99              dataplane       0               0d00h01m10s     -
"""


def test_old_workers_are_told_too() -> None:
    assert old_workers(PROCESSES) == ("@!84 ", "@!80 ")
    assert old_workers(PROCESSES.partition("# old")[0]) == ()


SESSIONS = """\
0x7fc9cc288c00: proto=tcpv4 src=127.0.0.1:45664 fe=a:80 be=a:80 srv=stub ts=00 epoch=0 age=3s
0x7fc9cc288c01: proto=tcpv4 src=127.0.0.1:45665 fe=a:80 be=a:80 srv=other ts=00 epoch=0 age=3s
0x7fc9cc288c02: proto=tcpv4 src=127.0.0.1:45666 fe=b:80 be=b:80 srv=stub ts=00 epoch=0 age=3s
0x7fc9cc289400: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s

"""


MODES = """\
0x7fc9cc288c00: [21/Nov/2026:19:09:17.729819] id=0 proto=tcpv4 source=127.0.0.1:45664
  flags=0x4a, conn_retries=0, conn_exp=<NEVER> conn_et=0x000 srv_conn=0x563a308b0c50, pend_pos=(nil)
  frontend=a:80 (id=2 mode=tcp), listener=? (id=1) addr=127.0.0.9:18080
  backend=a:80 (id=2 mode={}) addr=127.0.0.1:33030
  server=stub (id=1) addr=127.0.0.9:18090

Session not found.
"""


def test_only_connections_to_the_stub_end() -> None:
    held = held_by(["a:80/stub"], SESSIONS)

    assert held == {"a:80": ["0x7fc9cc288c00"]}
    assert questions(held) == ("show sess 0x7fc9cc288c00",)
    assert each_shutdown(held, MODES.format("tcp")) == ("shutdown session 0x7fc9cc288c00",)


def test_what_an_old_worker_has_in_http_goes_on() -> None:
    held = held_by(["a:80/stub"], SESSIONS)

    assert each_shutdown(held, MODES.format("http")) == ()
    assert each_shutdown(held, "Session not found.\n") == ()


STUBBED, ONE = instance(1, role="stub", mode="http"), instance(2, mode="http")


@pytest.mark.parametrize(
    ("records", "left"),
    [
        ([STUBBED], set()),
        ([STUBBED, ONE], {"whoami:8000/000000000001:8000"}),
        ([STUBBED, instance(2, mode="http", state="draining")], set()),
        ([instance(1, role="stub", mode="http", stub_policy="fallback"), ONE], set()),
        ([STUBBED, instance(2, mode="http", locality="zone")], set()),
    ],
    ids=["alone", "a real one", "it drains", "fallback", "far ones are backup too"],
)
def test_in_http_too_nobody_shall_stay_with_a_stub(records: list[Any], left: Any) -> None:
    assert config_of(snapshot(*records)).superseded == left
