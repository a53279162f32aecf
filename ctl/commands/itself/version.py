"""`tandem version`."""

import click

from catalog.version import VERSION
from ctl.line.command import Command

HELP = """Say which version of Tandem this is.

\b
  tandem version
"""


@click.command("version", cls=Command, help=HELP)
def command() -> int:
    """Print the version."""
    click.echo(f"tandem {VERSION}")
    return 0
