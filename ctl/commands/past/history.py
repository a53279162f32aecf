"""`tandem history`: what changed, why, on how many hosts it was applied, how and how fast."""

import time

import click

from catalog.asking.journal import WHAT
from catalog.errors import Rejected
from ctl.asking import Asking
from ctl.commands.shared import show, tell, with_form, with_reach
from ctl.ends import DONE, NOT_FOUND, UNREACHABLE, WRONG_USE, End
from ctl.line.command import Command
from ctl.line.types import ANY, HOST
from ctl.past import rows
from ctl.past.journals import Journals, Wanted, asked
from ctl.past.merge import merged
from ctl.past.since import moment_of
from ctl.settings import Reach
from ctl.view.names import is_pattern, not_found
from ctl.view.published import names_of, published_of

HELP = """Show what changed and why, each change once over all hosts.

\b
  tandem history                      the last 50 changes
  tandem history orders --since 24h   of a service, a container, or host/a
  tandem history --since 8100         after a revision of etcd
  tandem history --kinds left,drain --limit 500 -o ndjson

The newest is last. APPLIED is on how many hosts HAProxy has it, TOOK how long the slowest needed
from hearing of it. HOW is runtime, reload, or none: HAProxy needed no change. Each host remembers
seven days.
"""
# A host tells more lines than there are changes: some are only its own.
SPARE = 30
ENOUGH = 100_000


def kinds_of(text: str | None) -> tuple[str, ...]:
    """Return the kinds of change in such as `came,left`. Raises End."""
    kinds = tuple(dict.fromkeys(it.strip() for it in text.split(","))) if text else ()
    for kind in kinds:
        if kind not in WHAT:
            raise End(WRONG_USE, f"--kinds: {kind!r:.40} is none of {', '.join(WHAT)}")
    return kinds


@click.command("history", cls=Command, help=HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=ANY)
@click.option("--since", metavar="TIME|REVISION", help="24h, 10m, or a revision of etcd")
@click.option(
    "--limit",
    type=click.IntRange(1, ENOUGH),
    default=50,
    show_default=True,
    help="how many changes",
)
@click.option("--kinds", metavar="KINDS", help="only these, such as came,left,drain,reload")
@click.option("--host", metavar="HOST", type=HOST, help="only as this host's journal has it")
@with_form
@with_reach
def command(
    reach: Reach,
    names: tuple[str, ...],
    since: str | None,
    limit: int,
    kinds: str | None,
    host: str | None,
    output: str,
    no_headers: bool,
) -> int:
    """Show the past."""
    hosts_asked = (host,) if host else ()
    wanted = wanted_of(names, since, limit + SPARE, kinds_of(kinds), hosts_asked)
    with Asking(reach.access, reach.prefix) as asking:
        found = asked(asking, wanted)
        known = names_of(published_of(reach.prefix, asking.entries))
        hosts = asking.fleet.proxies.keys() | asking.fleet.owners

    if host and host not in hosts:
        raise End(NOT_FOUND, not_found(host, hosts))
    say_missing(found)
    if not found.hosts:
        raise End(UNREACHABLE, "no docker-discover is there that keeps a journal")

    changes = merged(found.lines)[-limit:]
    if not changes:
        _check_names(names, known | {f"host/{it}" for it in hosts} | hosts)
        tell("nothing changed" + (f" since {since}" if since else "") + ", as far as is remembered")

    now_s = time.time()
    every = [rows.row_of(change, found.of, now_s) for change in changes]
    if output in ("json", "yaml", "ndjson"):
        every = [rows.document_of(row) for row in every]
    show("changes", every, rows.COLUMNS, output, no_headers)
    return DONE


def wanted_of(
    names: tuple[str, ...],
    since: str | None,
    limit: int,
    kinds: tuple[str, ...],
    hosts: tuple[str, ...] = (),
) -> Wanted:
    """Return which lines a command line asks for. Raises End."""
    try:
        moment = moment_of(since) if since else None
    except Rejected as error:
        raise End(WRONG_USE, f"--since: {error}") from error

    return Wanted(
        since=moment.revision if moment else 0,
        since_s=moment.ago_s if moment else 0,
        names=names,
        kinds=kinds,
        hosts=hosts,
        limit=limit,
    )


def say_missing(found: Journals) -> None:
    """Say which hosts do not tell."""
    if found.old:
        tell(f"too old to keep a journal: {', '.join(sorted(found.old))}")
    if found.silent:
        tell(f"silent: {', '.join(sorted(found.silent))}")
    for host, why in sorted(found.failed.items()):
        tell(f"{host}: {why}")


def _check_names(names: tuple[str, ...], known: set[str]) -> None:
    """End if a name is of nothing that is there; what left long ago has no near names."""
    for name in names:
        if not is_pattern(name) and name not in known:
            raise End(NOT_FOUND, not_found(name, known))
