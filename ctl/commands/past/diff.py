"""`tandem diff`: what is other at one moment than at another."""

import click

from catalog.errors import Rejected
from ctl.asking import Asking
from ctl.commands.past.history import ENOUGH, say_missing
from ctl.commands.shared import show, tell, with_form, with_reach
from ctl.ends import DONE, NOT_FOUND, WRONG_USE, End
from ctl.line.command import Command
from ctl.past.differences import COLUMNS, between, of_changes
from ctl.past.journals import Wanted, asked
from ctl.past.merge import merged
from ctl.past.moments import past_at, revision_of
from ctl.past.since import moment_of
from ctl.settings import Reach
from ctl.view.names import matches
from ctl.view.published import published_of

HELP = """Show which instances are other at one moment than at another.

\b
  tandem diff 8100 8121            two revisions of etcd
  tandem diff 10m                  ten minutes ago and now
  tandem diff 2h 1h 'shop-*'       of these services

etcd tells what it had, unless it has forgotten that by a compaction: then the journals of the
hosts tell what happened in between, and what an instance was like is not known.
"""
NOW = "now"


@click.command("diff", cls=Command, help=HELP)
@click.argument("begin", metavar="TIME|REVISION")
@click.argument("end", metavar="[TIME|REVISION|now]", default=NOW)
@click.argument("names", nargs=-1, metavar="[SERVICE]...")
@with_form
@with_reach
def command(
    reach: Reach, begin: str, end: str, names: tuple[str, ...], output: str, no_headers: bool
) -> int:
    """Compare."""
    with Asking(reach.access, reach.prefix) as asking:
        newest = asking.meet()
        first, last = moment_from(asking, begin, newest), moment_from(asking, end, newest)
        if first > last:
            raise End(WRONG_USE, f"{begin} is after {end}: revisions {first} and {last}")

        before, after = past_at(asking, first), past_at(asking, last)
        why = before.why or after.why
        if before.entries is not None and after.entries is not None:
            old = published_of(reach.prefix, before.entries)
            rows = between(old, published_of(reach.prefix, after.entries))
        else:
            tell(f"{why}; this is from the journals of the hosts")
            found = asked(asking, Wanted(since=first, limit=ENOUGH))
            say_missing(found)
            changes = merged(found.lines)
            rows = of_changes(it for it in changes if it.line.revision <= last)

    rows = [row for row in rows if matches(str(row["service"]), names)]
    if not rows:
        tell(f"nothing is other at revision {last} than at {first}")
    show("differences", rows, COLUMNS, output, no_headers)
    return DONE


def moment_from(asking: Asking, text: str, newest: int) -> int:
    """Return the revision of a moment that a command line names. Raises End."""
    if text == NOW:
        return newest
    try:
        moment = moment_of(text)
    except Rejected as error:
        raise End(WRONG_USE, str(error)) from error
    if moment.revision > newest:
        raise End(WRONG_USE, f"{moment.revision} is still to come: etcd is at {newest}")

    found = revision_of(asking, moment)
    if found is None:
        raise End(NOT_FOUND, f"no journal goes back to {moment}")
    return found
