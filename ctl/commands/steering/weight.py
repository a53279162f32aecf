"""`tandem weight`: instances get another share of the calls for a while."""

import click

from ctl.commands.shared import with_reach
from ctl.commands.steering.steps import on_hosts, others, status_of, steps_about, until_text
from ctl.ends import NO, WRONG_USE, End
from ctl.line.command import Changing
from ctl.line.types import ANY, TIME
from ctl.settings import Reach

HELP = """Give instances another share of the calls, on every host, for a while.

\b
  tandem weight 77de12f4 25                 a quarter of the usual weight, for an hour
  tandem weight 77de12f4 0 --for 10m        no new calls
  tandem weight orders@a 200 --for 1d       twice the usual weight
  tandem weight 77de12f4 --end              as its labels say again

A weight is from 0 to 256, and 100 unless SERVICE_WEIGHT says otherwise. 0 ends with status 6 where
it would leave a service without a real instance, unless there is --force.
"""


@click.command("weight", cls=Changing, help=HELP)
@click.argument("word", metavar="ID | SERVICE@HOST", type=ANY)
@click.argument("number", required=False, metavar="[N]", type=click.IntRange(0, 256))
@click.option(
    "--for",
    "for_s",
    metavar="TIME",
    type=TIME,
    default="1h",
    show_default=True,
    help="ends by itself then",
)
@click.option("--end", is_flag=True, help="end it now")
@click.option("--force", is_flag=True, help="with 0: also if a service has no real instance then")
@click.option("--why", metavar="TEXT", default="", help="for others who look")
@with_reach
def command(
    reach: Reach, word: str, number: int | None, for_s: float, end: bool, force: bool, why: str
) -> int:
    """Weigh, or end that."""
    if end == (number is not None):
        raise End(WRONG_USE, "give a weight from 0 to 256, or --end")
    if for_s < 1:
        raise End(WRONG_USE, "--for: a weight lasts for a second at least")

    with steps_about(reach, word) as steps:
        if steps.target.host and not steps.target.service:
            raise End(WRONG_USE, f"a whole host has no weight: name SERVICE@{steps.target.host}")

        own = steps.own("weight")
        if end:
            if not own:
                raise End(NO, f"{word} has no weight of tandem: tandem drain lists what has")
            steps.written.delete(own)
        else:
            if number == 0:
                steps.guard(force=force)
            steps.put("weight", for_s, weight=number, why=why)

        seen = steps.obeyed()
        if end:
            text = f"weighed by its labels again on {on_hosts(seen)}; was {others([*own.values()])}"
        else:
            text = f"weight {number} on {on_hosts(seen)}  {until_text(for_s)}"
        click.echo(f"{word}  {text}")
        return status_of(seen)
