"""The command line: which commands there are, and the exit status of each ending.

A command is imported when it is called, so that `--help` needs neither grpc nor etcd.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence

import click

from ctl import ends
from ctl.ends import End
from ctl.view.names import near

NAME = "tandem"
COMMANDS = {
    "ls": "list services and who serves them, problems first",
    "show": "show all that is known of a service, an instance or a host",
    "explain": "say why something is called, or why not",
    "wait": "wait until services are ready everywhere, or gone",
    "version": "say which version this is",
}
HELP = """Ask the pair anything, and wait for it.

Every host's docker-register and docker-discover answer through etcd. Tell it where etcd is:

\b
  export ETCD_HOST=192.0.2.10:2379
  tandem ls                                       what is there, and what is wrong
  tandem explain orders                           why does nobody reach orders?
  docker compose up -d && tandem wait orders      until every host calls it

In a container of the pair: docker exec docker-discover tandem ls
"""
EPILOG = "\b\nExit status:\n" + "\n".join(f"  {it:3}  {ends.MEANINGS[it]}" for it in ends.MEANINGS)


class Commands(click.Group):
    """Imports a command only when it is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, or fail with near names."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            found = near(args[0], COMMANDS) or list(COMMANDS)
            ctx.fail(f"no command is called {args[0]}; there is {', '.join(found)}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order of help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is no such."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ctl.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit status."""
    group = Commands(
        NAME, help=HELP, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
    )
    try:
        status = group.main(list(argv), NAME, standalone_mode=False, obj=environ)
    except click.exceptions.NoArgsIsHelpError as error:
        return _said(error.format_message(), ends.WRONG_USE)
    except click.ClickException as error:
        return _said(f"{NAME}: {error.format_message()}", ends.WRONG_USE)
    except End as end:
        return _said(f"{NAME}: {end.text}" if end.text else "", end.status)
    except (click.Abort, KeyboardInterrupt):
        return ends.INTERRUPTED
    except BrokenPipeError:  # such as of `| head`: whoever read has enough
        sys.stderr.close()
        return ends.DONE
    return status if isinstance(status, int) else ends.DONE


def _said(text: str, status: int) -> int:
    if text:
        click.echo(text, err=True)
    return status
