"""What holds for the lines of all commands over a real pair: near names, and forms of output."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ctl import ends, program
from tests.parts.backend import backend
from tests.parts.discover import discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local

LINES = {
    "ls order": "orders",
    "ls --host host/h2": "h1",
    "show order": "orders",
    "explain order": "orders",
    "explain orders --from h2": "h1",
    "wait orders --on h2": "h1",
    "drain order@h1": "orders",
    "drain host/h2": "h1",
    "undrain order@h1": "orders",
    "weight order@h1 5": "orders",
    "intercept order --to 127.0.0.1:1 --all --yes": "orders",
    "doctor --host h2": "h1",
    "show host/h2": "h1",
    "tap order": "orders",
    "history --host h2": "h1",
}


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give an etcd with one service on host h1."""
    folder = tmp_path_factory.mktemp("names")
    with (
        Etcd(folder) as etcd,
        discovering(folder / "d", etcd.endpoint, "--host-id", "h1"),
        backend("orders") as at,
    ):
        publish(etcd, local(1, at, free_port(), "orders"))
        environ = {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX}
        assert program.run(["wait", "orders", "-q"], environ) == ends.DONE
        yield environ


@pytest.mark.parametrize("line", LINES)
def test_near_names_are_said(
    environ: dict[str, str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = program.run(line.split(), environ)
    printed = capsys.readouterr()
    assert (status, printed.out) == (ends.NOT_FOUND, ""), printed
    assert f"near: {LINES[line]}" in printed.err


def test_every_command_that_takes_a_name_is_here() -> None:
    # `need` says how to start what nobody provides; the past has names that nothing has any more.
    named = {line.split()[0] for line in LINES}
    others = {"need", "watch", "diff", "render", "stubs", "config", "completion", "version"}
    assert program.COMMANDS.keys() - named <= others


LISTS = ("ls", "ls --proxies", "stubs", "drain", "intercept ls", "version --all", "config")
PAGES = ("show orders", "explain orders", "doctor")
EMPTY = ("stubs", "drain", "intercept ls", "config")


def printed(environ: dict[str, str], line: str, capsys: pytest.CaptureFixture[str]) -> str:
    status = program.run(line.split(), environ)
    out = capsys.readouterr().out
    assert status in (ends.DONE, ends.NO)
    return out


@pytest.mark.parametrize("line", [*LISTS, *PAGES])
def test_json_and_yaml_are_one_versioned_document(
    environ: dict[str, str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    as_json: dict[str, Any] = json.loads(printed(environ, f"{line} -o json", capsys))
    as_yaml: dict[str, Any] = yaml.safe_load(printed(environ, f"{line} -o yaml", capsys))
    for document in (as_json, as_yaml):
        assert document["v"] == 1
        assert list(document) == sorted(document)
    assert as_json.keys() == as_yaml.keys()


@pytest.mark.parametrize("line", LISTS)
def test_lists_have_lines_names_and_tables(
    environ: dict[str, str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(environ, f"{line} -o ndjson", capsys).splitlines()
    assert [json.loads(it)["v"] for it in lines] == [1] * len(lines)
    names = printed(environ, f"{line} -o name", capsys).split()
    assert bool(lines) == bool(names) == (line not in EMPTY)

    table, wide = (printed(environ, f"{line} -o {it}", capsys) for it in ("table", "wide"))
    header = next(it for it in table.splitlines() if it.isupper())
    assert any(it.split()[: len(header.split())] == header.split() for it in wide.splitlines())
    bare = printed(environ, f"{line} --no-headers", capsys)
    assert header not in bare
    assert "\x1b" not in table
