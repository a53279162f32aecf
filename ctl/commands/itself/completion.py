"""`tandem completion`: what a shell has to read, so that TAB completes."""

import click

from ctl.completion.shells import SHELLS, script
from ctl.ends import DONE
from ctl.line.command import Command

HELP = """Print what a shell has to read, so that TAB completes names.

\b
  eval "$(tandem completion bash)"       in ~/.bashrc
  eval "$(tandem completion zsh)"        in ~/.zshrc, after compinit
  tandem completion fish | source        in ~/.config/fish/config.fish

TAB then offers commands, flags, and the names of services, containers and hosts, which are asked
of etcd and kept for 30 s in ~/.cache/tandem.
"""


@click.command("completion", cls=Command, help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print it."""
    root = ctx.find_root()
    click.echo(script(root.command, str(root.info_name), shell), nl=False)
    return DONE
