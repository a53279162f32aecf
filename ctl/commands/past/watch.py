"""`tandem watch`: changes as they come, with their cause, and how they came to every host."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from ctl.asking import Asking
from ctl.commands.past.history import kinds_of, say_missing, wanted_of
from ctl.commands.shared import VERSION, show_line, tell, with_reach
from ctl.ends import DONE, UNREACHABLE, End
from ctl.line.command import Command
from ctl.line.types import ANY
from ctl.past import rows
from ctl.past.journals import Wanted, asked
from ctl.past.live import Live
from ctl.past.merge import Change, merged
from ctl.past.window import Window
from ctl.settings import Reach

HELP = """Show changes as they come, each once over all hosts, until you interrupt it.

\b
  tandem watch                              all changes
  tandem watch orders host/a --since 10m    of these, and what was before
  tandem watch --kinds left,down --exec ./notify.sh

A change is shown when the HAProxy of every host has it, or after two seconds. --exec runs a
command for each, by sh, with the change as JSON on its standard input.
"""
LOOK_S = 0.25
EARLIER_MAX = 1000  # lines of each host with --since


@click.command("watch", cls=Command, help=HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=ANY)
@click.option("--since", metavar="TIME|REVISION", help="begin with what was since then")
@click.option("--kinds", metavar="KINDS", help="only these, such as came,left,drain,reload")
@click.option("--exec", "run", metavar="CMD", help="run this for each change, with JSON on stdin")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "ndjson")),
    default="table",
    show_default=True,
    help="lines for people, or a document for each",
)
@with_reach
def command(
    reach: Reach,
    names: tuple[str, ...],
    since: str | None,
    kinds: str | None,
    run: str | None,
    output: str,
) -> int:
    """Watch."""
    wanted = wanted_of(names, since, EARLIER_MAX, kinds_of(kinds))
    say = _say(output, run)
    with Asking(reach.access, reach.prefix) as asking:
        found = asked(asking, wanted)
    say_missing(found)
    if not found.hosts:
        raise End(UNREACHABLE, "no docker-discover is there that keeps a journal")

    if since:
        for change in merged(found.lines):
            say(change, found.of)
    _follow(reach, wanted, say)
    return DONE


def _follow(reach: Reach, wanted: Wanted, say: Callable[[Change, int], None]) -> None:
    window = Window()
    with Live(reach.access, reach.prefix, wanted) as live:
        for lines in live.lines(LOOK_S):
            now_s = time.monotonic()
            window.take(lines, now_s)
            if not window.is_empty():
                for change in window.due(live.hosts, now_s):
                    say(change, len(live.hosts))


def _say(output: str, run: str | None) -> Callable[[Change, int], None]:
    def say(change: Change, hosts: int) -> None:
        row = rows.row_of(change, hosts, time.time())
        if output == "ndjson":
            show_line(rows.document_of(row))
        else:
            click.echo(rows.line_of(row))
        if run:
            _run(run, rows.document_of(row))

    return say


def _run(command_line: str, row: Mapping[str, Any]) -> None:
    text = json.dumps({**row, "v": VERSION}, sort_keys=True)
    # The command line is that of whoever runs this; the change comes by its standard input.
    done = subprocess.run(["/bin/sh", "-c", command_line], input=text, text=True, check=False)
    if done.returncode:
        tell(f"{command_line} ended with status {done.returncode}")
