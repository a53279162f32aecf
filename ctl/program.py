"""The command line: which commands there are, and the exit status of each ending.

A command is imported when it is called, so that `--help` needs neither grpc nor etcd.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence

import click
from click.shell_completion import CompletionItem

from ctl import ends
from ctl.completion import shells
from ctl.ends import End
from ctl.line.command import write_reach, write_statuses
from ctl.view.names import near

NAME = "tandem"
COMMANDS = {
    "ls": "list services and who serves them, problems first",
    "show": "show all that is known of a service, an instance or a host",
    "explain": "say why something is called, or why not",
    "wait": "wait until services are ready everywhere, or gone",
    "intercept": "lead calls of a service to this machine while this runs",
    "history": "show what changed, why, and how fast it came to every host",
    "watch": "show changes as they come",
    "diff": "show what is other at one moment than at another",
    "render": "print a host's haproxy.cfg, as it is or as it would have been",
    "need": "print what to put into .env to call services",
    "stubs": "list the services that only stubs answer for, and since when",
    "drain": "send no new calls to an instance, or to all of a host",
    "undrain": "send calls there again",
    "weight": "give an instance another share of the calls for a while",
    "completion": "print what a shell has to read, so that TAB completes names",
    "config": "list contexts, and say which is used: dev, test, prod",
    "doctor": "look for whatever is wrong, and say what helps",
    "tap": "show the calls of a service on every host, as they end",
    "version": "say which version this is",
}
# Rooms of commands that do not stand in ctl/commands/ itself.
ROOMS = {
    **dict.fromkeys(("completion", "config", "version"), "itself"),
    **dict.fromkeys(("drain", "undrain", "weight"), "steering"),
    **dict.fromkeys(("history", "watch", "diff", "render"), "past"),
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


class Commands(click.Group):
    """Imports a command only when it is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, or fail with near names."""
        is_wrong = args and args[0] not in COMMANDS and not args[0].startswith("-")
        if is_wrong and not ctx.resilient_parsing:
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
        room = f"{ROOMS[cmd_name]}." if cmd_name in ROOMS else ""
        module = importlib.import_module(f"ctl.commands.{room}{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what all commands share."""
        write_reach(formatter)
        write_statuses(formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and flags that begin so, without importing any command."""
        found = [name for name in COMMANDS if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name]) for name in found]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


def program() -> Commands:
    """Return the program with all its commands."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return Commands(NAME, help=HELP, context_settings=settings)


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit status."""
    if environ.get(shells.VARIABLE):
        click.echo(shells.answer(program(), NAME, environ))
        return ends.DONE

    try:
        status = program().main(list(argv), NAME, standalone_mode=False, obj=environ)
    except (click.ClickException, End) as error:
        text, status = _ending(error)
        if text:
            click.echo(text, err=True)
    except (click.Abort, KeyboardInterrupt):
        return ends.INTERRUPTED
    except BrokenPipeError:  # such as of `| head`: whoever read has enough
        sys.stderr.close()
        return ends.DONE
    return status if isinstance(status, int) else ends.DONE


def _ending(error: click.ClickException | End) -> tuple[str, int]:
    """Return what is said of an error, and the exit status."""
    match error:
        case End():
            return (f"{NAME}: {error.text}" if error.text else ""), error.status
        case click.exceptions.NoArgsIsHelpError():
            return error.format_message(), ends.WRONG_USE

    lines = [f"{NAME}: {line}" for line in error.format_message().splitlines()]
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    if ctx:
        lines.append(f"help: {ctx.command_path} --help")
    return "\n".join(lines), ends.WRONG_USE
