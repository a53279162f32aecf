"""`tandem need`: what to put into a .env file to call services."""

import click

from catalog.asking.ask import EXPLAIN, Ask
from ctl.asking import Asking, Heard
from ctl.commands.shared import DOCUMENTS, show_document, tell, with_reach
from ctl.ends import DONE, NO, UNREACHABLE, End
from ctl.line.command import Command
from ctl.line.types import SERVICE
from ctl.settings import Reach
from ctl.view.calling import env_forms
from ctl.view.calling.needs import Need, needs_of
from ctl.view.calling.seen import seen_ports
from ctl.view.calling.ways import CALLERS, Caller
from ctl.view.names import not_found
from ctl.view.published import about, names_of, published_of

HELP = """Print what to put into your .env file to call services.

\b
  tandem need orders pets >> .env
  tandem need orders -o compose                 to paste into compose.yaml
  eval "$(tandem need orders -o shell)"
  tandem need orders --strict                   status 1 unless a real instance answers

Each service gives NAME_HOST, NAME_PORT and, if its protocol is known, NAME_URL; with several ports
NAME_<port>_HOST and so on. What is only a stub, or not there, is said in comments, with a command
that starts a stub. With --from container, start the caller with --add-host proxy:host-gateway.
"""
WITHIN_S = 3.0


@click.command("need", cls=Command, help=HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", type=SERVICE)
@click.option(
    "--from",
    "caller",
    type=click.Choice(CALLERS),
    help="where the caller runs (default: host; container with -o compose)",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice((*env_forms.FORMS, *DOCUMENTS)),
    default="env",
    show_default=True,
    help="form of the result: lines of a file, or one document",
)
@click.option("--strict", is_flag=True, help="status 1 if a real instance of one does not answer")
@with_reach
def command(
    reach: Reach, names: tuple[str, ...], caller: Caller | None, output: str, strict: bool
) -> int:
    """Print."""
    from_: Caller = caller or ("container" if output == "compose" else "host")
    with Asking(reach.access, reach.prefix) as asking:
        needs = [
            need for name in dict.fromkeys(names) for need in _needs(asking, reach, name, from_)
        ]

    if output in DOCUMENTS:
        show_document(env_forms.document_of(needs, from_), output)
    else:
        for line in env_forms.lines_of(needs, output, from_):
            click.echo(line)
    return NO if strict and any(not need.is_met for need in needs) else DONE


def _needs(asking: Asking, reach: Reach, name: str, caller: Caller) -> tuple[Need, ...]:
    asked = Ask(EXPLAIN, name, by="tandem need")
    heard: list[Heard] = list(asking.ask(asked, WITHIN_S, sides=("discover",)))
    proxies = asking.fleet.proxies
    if not proxies:
        raise End(UNREACHABLE, f"no docker-discover says that it is there below {reach.prefix}")
    if asking.silent:
        silent = ", ".join(sorted(host for host, _side in asking.silent))
        tell(f"silent for {WITHIN_S:g} s: {silent}")

    published = published_of(reach.prefix, asking.entries)
    seen = seen_ports(heard)
    if not seen:
        tell(not_found(name, names_of(published)))
    return needs_of(name, seen, proxies, about(published, name), caller)
