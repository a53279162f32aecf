"""The command line: help needs no etcd, and each wrong use says what would be right."""

import subprocess
import sys

import pytest

from catalog.version import VERSION
from ctl import ends, program
from ctl.settings import reach_of
from ctl.view.names import not_found
from ctl.view.table import table_of

LOADED = """
import sys
from ctl import program
program.run(["--help"], {})
print(sorted({"grpc", "etcd3", "rich", "docker"} & set(sys.modules)), file=sys.stderr)
"""


def test_help_loads_no_grpc() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr == "[]\n"
    assert all(name in done.stdout for name in program.COMMANDS)
    assert "3    nothing of that name" in done.stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["lss"], "no command is called lss; there is ls"),
        (["wait"], "at least one name"),
        (["wait", "x", "--for", "up"], "is none of ready"),
        (["wait", "x", "--timeout", "soon"], "is not a time"),
        (["wait", "a\tb"], "is not a name: up to 300 printable letters"),
        (["explain", ""], "is not a name"),
        (["explain", "x" * 301], "is not a name"),
        (["ls", "--nope"], "--nope"),
        (["ls", "--etcd-prefix", "x", "--etcd-cert", "y"], "--etcd-cert: 'y' cannot be read"),
    ],
)
def test_wrong_use(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(argv, {}) == ends.WRONG_USE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(["version"], {}) == ends.DONE
    assert capsys.readouterr().out == f"tandem {VERSION}\n"

    # Which version it is can be asked whatever is set.
    assert program.run(["version"], {"ETCD_PREFIX": "nonsense"}) == ends.DONE
    assert program.run(["version", "-o", "json"], {}) == ends.DONE
    assert f'"tandem": "{VERSION}"' in capsys.readouterr().out


def test_settings_are_those_of_the_sidecars() -> None:
    environ = {"ETCD_HOST": "192.0.2.1", "ETCD_PREFIX": "/dev"}
    assert str(reach_of({}, environ)) == "192.0.2.1:2379"
    reach = reach_of({"ETCD_HOST": "192.0.2.2:1"}, environ)
    assert (str(reach), reach.prefix) == ("192.0.2.2:1", "/dev")


def test_near_names() -> None:
    assert not_found("ordrs", ["orders", "pets"]) == "nothing here is called ordrs; near: orders"
    assert not_found("x", []) == "nothing here is called x"


def test_a_table_is_aligned_and_never_cut() -> None:
    rows = [{"service": "a", "hosts": ["x", "y"]}, {"service": "long", "hosts": []}]
    assert list(table_of(rows, ("service", "hosts"))) == [
        "SERVICE  HOSTS",
        "a        x,y",
        "long     -",
    ]
    assert list(table_of([], ("service",), no_headers=True)) == []
