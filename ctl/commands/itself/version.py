"""`tandem version`: its own, and those of all hosts."""

from collections.abc import Mapping
from typing import Any

import click

from catalog.version import VERSION
from ctl.asking import Asking
from ctl.commands.shared import DOCUMENTS, show, show_document, with_form, with_reach_if
from ctl.ends import DONE
from ctl.line.command import Command
from ctl.settings import Reach
from ctl.view.versions import COLUMNS, version_rows

HELP = """Say which version of Tandem this is.

\b
  tandem version
  tandem version --all          also each host's sidecars and HAProxy, what differs first
"""


@click.command("version", cls=Command, help=HELP)
@click.option("--all", "is_all", is_flag=True, help="also those of all hosts")
@with_form
@with_reach_if("is_all")
def command(reach: Reach | None, is_all: bool, output: str, no_headers: bool) -> int:
    """Print the version, or all."""
    rows: tuple[Mapping[str, Any], ...] = ()
    if reach:
        with Asking(reach.access, reach.prefix) as asking:
            asking.meet()
            rows = tuple(version_rows(asking.fleet))

    if output in DOCUMENTS:
        hosts = {"hosts": list(rows)} if is_all else {}
        show_document({"tandem": VERSION, **hosts}, output)
        return DONE
    if output in COLUMNS:
        click.echo(f"tandem {VERSION}")
    if is_all:
        show("hosts", rows, COLUMNS, output, no_headers)
    return DONE
