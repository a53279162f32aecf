"""A line: all its mistakes at once, and what its values may be."""

import click
import pytest
from click.testing import CliRunner

from ctl.line.command import Command
from ctl.line.types import HOST, HOSTS, TIME


@click.command("x", cls=Command, help="Do it.")
@click.argument("names", nargs=-1)
@click.option("--host", type=HOST)
@click.option("--on", type=HOSTS, default="all")
@click.option("--timeout", type=TIME, default="60s")
@click.option("-q", "--quiet", is_flag=True)
def command(**given: object) -> None:
    """Print what was given."""
    click.echo(sorted(given.items()))


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, words)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("words", "mistakes"),
    [
        (("--nope", "a", "--timeout", "soon", "--host", "x/y"), ("--nope", "soon", "x/y")),
        (("--nope=1", "--more", "-z", "-q"), ("--nope", "--more", "-z")),
        (("--on=a,", "--timeout"), ("''", "--timeout")),
        (("--timeout=1w", "--", "--nope"), ("1w",)),
    ],
)
def test_all_mistakes_are_said_at_once(words: tuple[str, ...], mistakes: tuple[str, ...]) -> None:
    status, output = said(*words)
    assert status == 2
    assert [it for it in mistakes if it not in output] == []
    assert "\n".join(output.splitlines()[-len(mistakes) :]).count("\n") == len(mistakes) - 1


def test_hosts_and_times_are_read() -> None:
    _, output = said("--host", "host/a", "--on", "host/b,c,b", "--timeout", "2m", "n")
    assert output == (
        "[('host', 'a'), ('names', ('n',)), ('on', ('b', 'c')), ('quiet', False), "
        "('timeout', 120.0)]\n"
    )
    _, output = said()
    assert "('on', ())" in output
    assert "('timeout', 60.0)" in output
