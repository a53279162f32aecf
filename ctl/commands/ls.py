"""`tandem ls`: services and who serves them, or hosts and how far they are."""

import click

from catalog.asking.ask import APPLIED, SERVICES, Ask
from ctl.asking import Asking
from ctl.commands.shared import show, tell, with_form, with_reach
from ctl.ends import DONE, NOT_FOUND, End
from ctl.fleet import Sidecar
from ctl.line.command import Command
from ctl.line.types import HOST, SERVICE
from ctl.settings import Reach
from ctl.view import proxies, services
from ctl.view.names import is_pattern, matches, not_found
from ctl.view.published import published_of

HELP = """List services, problems first.

\b
  tandem ls                     all of them
  tandem ls 'shop-*' orders     these
  tandem ls --problems          what is wrong, containers that are not published included
  tandem ls --proxies           hosts: the revision of etcd that they have applied

READY is how many instances HAProxy has up, of all there are: where hosts differ, the fewest.
STUBS are instances that answer until a real one does. NOTE says what is wrong.
"""
WITHIN_S = 3.0


@click.command("ls", cls=Command, help=HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=SERVICE)
@click.option("--problems", is_flag=True, help="only what is wrong")
@click.option(
    "--host",
    metavar="HOST",
    type=HOST,
    help="only what runs on this host, as its HAProxy sees it",
)
@click.option("--proxies", "is_proxies", is_flag=True, help="hosts and what they have applied")
@with_form
@with_reach
def command(
    reach: Reach,
    names: tuple[str, ...],
    problems: bool,
    host: str | None,
    is_proxies: bool,
    output: str,
    no_headers: bool,
) -> int:
    """List."""
    hosts = (host,) if host else ()
    asked = Ask(APPLIED if is_proxies else SERVICES, hosts=hosts, by="tandem ls")
    with Asking(reach.access, reach.prefix) as asking:
        heard = list(asking.ask(asked, WITHIN_S, sides=("discover",)))
    _say_who_is_missing(asking)

    fleet = asking.fleet
    known = fleet.proxies.keys() | fleet.owners
    if host and host not in known:
        raise End(NOT_FOUND, not_found(host, known))

    if is_proxies:
        rows = proxies.proxy_rows(fleet, heard, asking.revision)
        rows = [row for row in rows if matches(row["host"], (*hosts, *names))]
        rows = [row for row in rows if not problems or row["state"] != "SYNCED"]
        show("proxies", rows, proxies.COLUMNS, output, no_headers)
        return DONE

    published = published_of(reach.prefix, asking.entries)
    listed = services.service_rows(published, heard)
    every = {str(row["service"]) for row in listed}
    for name in names:
        if not is_pattern(name) and name not in every:
            raise End(NOT_FOUND, not_found(name, every))

    refused = services.refused_rows(fleet.refusals)
    if problems:
        listed = (*(row for row in listed if row["state"] in services.PROBLEMS), *refused)
    elif refused and not names:
        tell(f"not published: {len(refused)}, see tandem ls --problems")

    chosen = [row for row in listed if matches(str(row["service"]), names)]
    chosen = [row for row in chosen if not host or host in row["hosts"]]
    show("services", chosen, services.COLUMNS, output, no_headers)
    return DONE


def _say_who_is_missing(asking: Asking) -> None:
    if not asking.fleet.proxies:
        tell("no docker-discover says that it is there: READY is not known")
    if asking.unable:
        tell(f"too old to be asked: {_hosts(asking.unable)}")
    if asking.silent:
        tell(f"silent for {WITHIN_S:g} s: {_hosts(asking.silent)}")


def _hosts(sidecars: frozenset[Sidecar]) -> str:
    return ", ".join(sorted(host for host, _side in sidecars))
