"""A name that nothing has: every command says near ones, prints nothing, and ends with 3."""

from collections.abc import Iterator

import pytest

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
    # `need` says how to start what nobody provides.
    named = {line.split()[0] for line in LINES}
    others = {"need", "stubs", "config", "completion", "version"}
    assert program.COMMANDS.keys() - named <= others
