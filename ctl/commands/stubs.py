"""`tandem stubs`: the services that only stubs answer for, and since when."""

from datetime import UTC, datetime

import click

from catalog.asking.ask import STUBS, Ask
from ctl.asking import Asking
from ctl.commands.shared import show, tell, with_form, with_reach
from ctl.ends import DONE, UNREACHABLE, End
from ctl.line.command import Command
from ctl.settings import Reach
from ctl.view.published import published_of
from ctl.view.stubs import COLUMNS, for_people, stub_rows

HELP = """List the services that only stubs answer for.

\b
  tandem stubs                  all, what is overdue first, then the oldest
  tandem stubs --overdue        those whose day (label SERVICE_STUB_UNTIL) has passed
  tandem stubs -o json          for a report

They are still to be written, or started. CALLS are those that stubs have answered on all hosts
since then.
"""
WITHIN_S = 3.0


@click.command("stubs", cls=Command, help=HELP)
@click.option("--overdue", is_flag=True, help="only those whose day has passed")
@with_form
@with_reach
def command(reach: Reach, overdue: bool, output: str, no_headers: bool) -> int:
    """List."""
    with Asking(reach.access, reach.prefix) as asking:
        heard = list(asking.ask(Ask(STUBS, by="tandem stubs"), WITHIN_S, sides=("discover",)))

    if not asking.fleet.proxies:
        raise End(UNREACHABLE, f"no docker-discover is there below {reach.prefix}")
    if old := sorted(host for host, _ in asking.unable):
        tell(f"too old to be asked: {', '.join(old)}")
    if silent := sorted(host for host, _ in asking.silent):
        tell(f"silent for {WITHIN_S:g} s: {', '.join(silent)}")

    now = datetime.now(UTC)
    rows = stub_rows(heard, published_of(reach.prefix, asking.entries), now)
    chosen = [row for row in rows if row["overdue"] or not overdue]
    shown = for_people(chosen, now) if output in COLUMNS else chosen
    show("stubs", shown, COLUMNS, output, no_headers)
    return DONE
