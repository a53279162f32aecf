"""`tandem undrain`: instances that were drained get calls again."""

import click

from ctl.commands.shared import with_reach
from ctl.commands.steering.steps import Steps, on_hosts, others, status_of, steps_about
from ctl.ends import NO, End
from ctl.line.command import Changing
from ctl.line.types import ANY
from ctl.settings import Reach

HELP = """Send calls to instances again that tandem drain took out.

\b
  tandem undrain host/a
  tandem undrain 77de12f4
  tandem undrain orders@a

It ends what tandem drain began with the same name, whoever did that. Status 1 says that nothing
of that name is drained.
"""


@click.command("undrain", cls=Changing, help=HELP)
@click.argument("word", metavar="host/HOST | SERVICE@HOST | ID", type=ANY)
@with_reach
def command(reach: Reach, word: str) -> int:
    """Delete the overrides that drain exactly this."""
    with steps_about(reach, word) as steps:
        own = steps.own("drain")
        if not own:
            raise End(NO, _why_not(steps))

        steps.written.delete(own)
        seen = steps.obeyed()
        click.echo(f"{word}  no longer drained on {on_hosts(seen)}; was {others([*own.values()])}")
        return status_of(seen)


def _why_not(steps: Steps) -> str:
    """Return why there is nothing to end, and what drains it instead."""
    target, word = steps.target, steps.target.word
    if target.host in steps.written.drained:
        return f"{word} was drained on its own machine: there, docker exec docker-register undrain"

    hosts = {target.host, *(it.host for it in target.instances)} - {""}
    names = {f"{it.short}:{it.instance.container_port}" for it in target.instances}
    wider = [
        standing.override
        for standing in steps.written.standing.values()
        if standing.override and standing.override.state
        if standing.override.host in hosts or standing.override.instance in names
    ]
    if wider:
        return f"{word} itself is not drained, but {others(wider)}: see tandem drain"
    return f"{word} is not drained: tandem drain lists what is"
