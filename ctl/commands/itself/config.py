"""`tandem config`: the contexts that there are, and which of them is used."""

import click

from ctl.commands.shared import show, tell, with_form
from ctl.contexts import context_of, folder_of, read, use
from ctl.ends import DONE, NOT_FOUND, WRONG_USE, End
from ctl.line.command import Command
from ctl.line.types import CONTEXT
from ctl.view.names import not_found

HELP = """List contexts, or say which one is used from now on.

\b
  tandem config                     list them
  tandem config use prod            use prod from now on
  tandem config use --none          use none: flags and variables say where etcd is
  tandem ls --context prod          use prod for this line only

A context is a table of ~/.config/tandem/config.toml:

\b
  [contexts.prod]
  etcd_host = "192.0.2.10,192.0.2.11"
  etcd_prefix = "/prod"
  etcd_user = "ops"
  etcd_password_file = "/run/secrets/etcd"

What a line uses: --context, else TANDEM_CONTEXT, else any variable ETCD_..., else the one in use.
"""
COLUMNS = {
    "table": ("context", "used", "etcd", "prefix"),
    "wide": ("context", "used", "etcd", "prefix", "user"),
}


@click.command("config", cls=Command, help=HELP)
@click.argument("what", type=click.Choice(("ls", "use")), default="ls")
@click.argument("name", required=False, metavar="[NAME]", type=CONTEXT)
@click.option("--none", "is_none", is_flag=True, help="with use: use no context")
@with_form
@click.pass_context
def command(
    ctx: click.Context, what: str, name: str | None, is_none: bool, output: str, no_headers: bool
) -> int:
    """List or use."""
    contexts = read(ctx.obj)
    if what == "use":
        if (name is None) != is_none:
            raise End(WRONG_USE, "use takes the name of a context, or --none")
        if name is not None and name not in contexts:
            path = folder_of(ctx.obj) / "config.toml"
            raise End(NOT_FOUND, f"no context in {path}: {not_found(name, contexts)}")
        use(ctx.obj, name or "")
        click.echo(f"context {name} is used" if name else "no context is used")
        return DONE

    if name is not None or is_none:
        raise End(WRONG_USE, "ls takes neither a name nor --none")
    used = context_of(ctx.obj).name
    rows = [
        {
            "context": it.name,
            "used": "yes" if it.name == used else None,
            "etcd": it.settings.get("ETCD_HOST"),
            "prefix": it.settings.get("ETCD_PREFIX"),
            "user": it.settings.get("ETCD_USER"),
        }
        for it in contexts.values()
    ]
    if not rows:
        tell(f"{folder_of(ctx.obj) / 'config.toml'} has no contexts: tandem config --help")
    show("contexts", rows, COLUMNS, output, no_headers)
    return DONE
