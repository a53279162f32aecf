"""What holds for every command: its help, its mistakes, its imports, and an etcd that is away."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ctl import ends, program
from ctl.contexts import folder_of
from ctl.line.command import Changing, Command

NOWHERE = {"ETCD_HOST": "127.0.0.1:1", "HOME": "/nowhere"}
# Commands that ask nobody.
ALONE = {"completion", "config"}
# What a line of a command needs so that it asks, if it is not just one name.
WORDS: dict[str, list[str]] = {
    "ls": [],
    "render": [],
    "stubs": [],
    "weight": ["77de12f4", "25"],
    "version": ["--all"],
    "intercept": ["orders", "--to", "192.0.2.77:9000", "--header", "x-dev=anna"],
}
# A command waits for these only once it asks.
HEAVY = {"grpc", "etcd3", "google", "docker", "rich", "yaml", "requests", "sqlite3", "asyncio"}
LOADED = """
import sys
from ctl import program
program.run([*sys.argv[1:], "--help"], {})
print(*sorted({it.partition(".")[0] for it in sys.modules}), file=sys.stderr)
"""
each_command = pytest.mark.parametrize("name", program.COMMANDS)


def command_of(name: str) -> click.Command:
    group = program.program()
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


# To these an etcd that is away is one more thing to tell of.
REPORTING = {"doctor"}


@each_command
def test_help_has_a_sentence_examples_and_statuses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run([name, "--help"], NOWHERE) == ends.DONE
    printed = capsys.readouterr()
    assert printed.err == ""

    _usage, _, sentence, _, example, *_ = printed.out.splitlines()
    assert re.fullmatch(r"  [A-Z].*[.:]", sentence), f"one sentence first: {sentence}"
    assert f"tandem {name}" in example, "then the examples"
    assert "Exit status:" in printed.out


@each_command
def test_each_command_says_all_mistakes_and_each_flag_is_explained(name: str) -> None:
    command = command_of(name)
    assert isinstance(command, Command), f"give @click.command of {name} cls=Command"
    unexplained = [
        it.opts[0] for it in command.params if isinstance(it, click.Option) and not it.help
    ]
    assert not unexplained


@each_command
def test_an_unknown_flag_is_wrong_use(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run([name, "--no-such-flag"], NOWHERE) == ends.WRONG_USE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "--no-such-flag" in printed.err
    assert f"tandem {name} --help" in printed.err


@pytest.mark.parametrize("name", sorted(program.COMMANDS.keys() - ALONE - REPORTING))
def test_without_etcd_it_says_what_helps(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = program.run([name, *WORDS.get(name, ["orders"])], NOWHERE)
    printed = capsys.readouterr()
    assert (status, printed.out) == (ends.UNREACHABLE, ""), printed.err
    assert "etcd at 127.0.0.1:1 cannot be reached" in printed.err
    assert "helps:" in printed.err


@each_command
def test_help_loads_nothing_heavy(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, name],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert HEAVY & set(done.stderr.split()) == set()


def test_what_changes_something_says_first_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"HOME": str(tmp_path)}
    folder_of(environ).mkdir(parents=True)
    file = folder_of(environ) / "config.toml"
    file.write_text('[contexts.prod]\netcd_host = "127.0.0.1:1"\netcd_prefix = "/prod"')
    changing = [name for name in program.COMMANDS if isinstance(command_of(name), Changing)]
    assert {"drain", "undrain", "weight", "intercept"} <= set(changing)

    for name in changing:
        words = [name, *WORDS.get(name, ["orders"]), "--context", "prod"]
        assert program.run(words, environ) == ends.UNREACHABLE
        first = capsys.readouterr().err.splitlines()[0]
        assert first == "context prod: etcd at 127.0.0.1:1, prefix /prod"
