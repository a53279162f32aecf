"""Whose connections end when a real instance takes over from a stub, and which workers are told."""

import pytest

from discover.layout import sections_of
from discover.superseded import each_shutdown, old_workers, superseded

STUB = "server stub 10.0.0.1:80 weight 100 check backup"
REAL = "server real 10.0.0.2:80 weight {} check on-marked-up shutdown-backup-sessions"
OTHER = "server other 10.0.0.3:80 weight 100 check on-marked-up shutdown-backup-sessions"


def sections(*servers, name="a:80"):
    return sections_of("\n".join([f"listen {name}", "mode tcp", *servers]))


TABLE = [
    ("the first real one comes", sections(STUB), sections(STUB, REAL.format(100)), ("a:80/stub",)),
    ("with a reload", {}, sections(STUB, REAL.format(100)), ("a:80/stub",)),
    ("it is called again", sections(STUB, REAL.format(0)), sections(STUB, REAL.format(100)), ("a:80/stub",)),
    ("it comes, but drains", sections(STUB), sections(STUB, REAL.format(0)), ()),
    ("a second one comes", sections(STUB, OTHER), sections(STUB, OTHER, REAL.format(100)), ()),
    ("a stub comes beside it", sections(OTHER), sections(STUB, OTHER), ()),
    ("it goes", sections(STUB, OTHER), sections(STUB), ()),
    ("there is no stub", sections(), sections(OTHER), ()),
    ("fallback: open ones stay", sections(STUB), sections(STUB, "server real 10.0.0.2:80 weight 100 check"), ()),
]


@pytest.mark.parametrize(("before", "after", "ended"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_connections_to_stubs_end_when_the_first_real_one_can_be_called(before, after, ended):
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


def test_old_workers_are_told_too():
    assert old_workers(PROCESSES) == ("@!84 ", "@!80 ")
    assert old_workers(PROCESSES.partition("# old")[0]) == ()


SESSIONS = """\
0x7fc9cc288c00: proto=tcpv4 src=127.0.0.1:45664 fe=a:80 be=a:80 srv=stub ts=00 epoch=0 age=3s calls=3
0x7fc9cc288c01: proto=tcpv4 src=127.0.0.1:45665 fe=a:80 be=a:80 srv=other ts=00 epoch=0 age=3s calls=3
0x7fc9cc288c02: proto=tcpv4 src=127.0.0.1:45666 fe=b:80 be=b:80 srv=stub ts=00 epoch=0 age=3s calls=3
0x7fc9cc289400: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1

"""


def test_only_connections_to_the_stub_end():
    assert each_shutdown(["a:80/stub"], SESSIONS) == ("shutdown session 0x7fc9cc288c00",)
