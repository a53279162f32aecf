"""Contexts: which of them a line uses, and what is said of a file that is wrong."""

from pathlib import Path

import pytest

from ctl import ends, program
from ctl.contexts import context_of, folder_of, read, used
from ctl.ends import End
from ctl.settings import reach_of

FILE = """
[contexts.dev]
etcd_host = "192.0.2.1"
[contexts.prod]
etcd_host = "192.0.2.2,192.0.2.3"
etcd_prefix = "/prod"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    environ = {"HOME": str(tmp_path)}
    folder_of(environ).mkdir(parents=True)
    return environ


def write(environ: dict[str, str], text: str) -> None:
    (folder_of(environ) / "config.toml").write_text(text)


def test_a_line_says_its_context_else_a_variable_else_what_is_used(environ: dict[str, str]) -> None:
    write(environ, FILE)
    assert context_of(environ).name == ""
    assert program.run(["config", "use", "dev"], environ) == ends.DONE
    assert used(environ) == context_of(environ).name == "dev"

    # Variables that say where etcd is beat what is used, and are not mixed with it.
    assert context_of({**environ, "ETCD_PREFIX": "/x"}).name == ""
    in_variable = {**environ, "ETCD_PREFIX": "/x", "TANDEM_CONTEXT": "prod"}
    assert context_of(in_variable).name == "prod"
    assert context_of(in_variable, "dev").name == "dev"

    reach = reach_of({}, in_variable, context_of(in_variable, "dev"))
    assert (str(reach), reach.prefix, reach.context) == ("192.0.2.1:2379", "/services", "dev")
    reach = reach_of({"ETCD_PREFIX": "/y"}, in_variable, context_of(in_variable))
    assert (str(reach), reach.prefix) == ("192.0.2.2:2379,192.0.2.3:2379", "/y")

    assert program.run(["config", "use", "--none"], environ) == ends.DONE
    assert context_of(environ).name == ""


def test_they_are_listed(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(["config"], environ) == ends.DONE
    assert "has no contexts" in capsys.readouterr().err

    write(environ, FILE)
    assert program.run(["config", "ls"], {**environ, "TANDEM_CONTEXT": "prod"}) == ends.DONE
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["CONTEXT", "USED", "ETCD", "PREFIX"],
        ["dev", "-", "192.0.2.1", "-"],
        ["prod", "yes", "192.0.2.2,192.0.2.3", "/prod"],
    ]


def test_an_unknown_context_has_near_names(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(environ, FILE)
    for words in (["ls", "--context", "prd"], ["config", "use", "prd"]):
        assert program.run(words, environ) == ends.NOT_FOUND
        assert "near: prod" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[contexts", "is not TOML"),
        ("[context.x]\netcd_host='a'", "context: unknown, only [contexts.NAME] is read"),
        ("contexts = 3", "contexts: is not a table"),
        ("[contexts.x]", "contexts.x: has no settings"),
        ("[contexts.x]\nhost='a'", "contexts.x.host: unknown, known are etcd_host"),
        ("[contexts.x]\netcd_password='a'", "contexts.x.etcd_password: unknown"),
        ("[contexts.x]\netcd_host=3", "contexts.x.etcd_host: 3 is not a text"),
    ],
)
def test_a_wrong_file_is_one_clear_line(
    environ: dict[str, str], text: str, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(environ, text)
    assert program.run(["ls", "--context", "x"], environ) == ends.WRONG_USE
    said = capsys.readouterr().err
    assert mistake in said
    assert "config.toml" in said
    assert said.count("\n") == 1


def test_a_wrong_setting_names_its_context(environ: dict[str, str]) -> None:
    write(environ, "[contexts.x]\netcd_prefix = 'x'")
    with pytest.raises(End, match="context x: wrong setting: ETCD_PREFIX: 'x' is not a key prefix"):
        reach_of({}, environ, read(environ)["x"])
