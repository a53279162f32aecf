"""`tandem version`."""

import click

from catalog.version import VERSION


@click.command("version", help="Say which version of Tandem this is.")
def command() -> int:
    """Print the version."""
    click.echo(f"tandem {VERSION}")
    return 0
