"""`tandem tap`: the calls of a service on every host, as they end."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from catalog.asking.ask import EVERY_MS_MIN, TAP, Ask
from ctl.asking import Asking, Heard
from ctl.commands.shared import tell, with_reach
from ctl.ends import DONE, NOT_FOUND, UNREACHABLE, End
from ctl.line.command import Command
from ctl.line.types import HOSTS, SERVICE, TIME
from ctl.settings import Reach
from ctl.view.calls.rows import COLUMNS, COLUMNS_OF_ALL, Lines, named, names_of_instances, row_of
from ctl.view.names import not_found
from ctl.view.published import names_of, published_of

HELP = """Show the calls of a service on every host, as they end.

\b
  tandem tap orders
  tandem tap orders --errors                what fails, or was mended by another try
  tandem tap --errors --for 10m             what fails anywhere
  tandem tap orders --limit 1 -o ndjson     the next call, with all that is known of it

Without a name the calls of all services are shown. FROM is the host of the caller and its HAProxy,
END says what went wrong, with HAProxy's code. Of a busy service some calls are left out, and
counted. Where HAProxy logs only errors it is reloaded to see other calls too, and again a minute
after the last tap; --errors needs no reload.
"""


@click.command("tap", cls=Command, help=HELP)
@click.argument("service", required=False, type=SERVICE)
@click.option("--errors", is_flag=True, help="only calls that went wrong")
@click.option(
    "--host",
    "hosts",
    default="all",
    show_default=True,
    metavar="HOSTS",
    type=HOSTS,
    help="only calls from there: host/a, or host/a,host/b",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="end after so many")
@click.option(
    "--for",
    "within_s",
    default="60s",
    show_default=True,
    metavar="TIME",
    type=TIME,
    help="for how long",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "ndjson")),
    default="table",
    show_default=True,
    help="a line for people, or one of JSON, for each call",
)
@with_reach
def command(
    reach: Reach,
    service: str | None,
    errors: bool,
    hosts: tuple[str, ...],
    limit: int | None,
    within_s: float,
    output: str,
) -> int:
    """Show them until the time is over."""
    arguments = {"errors": "only"} if errors else {}
    asked = Ask(
        TAP, service or "", hosts, every_ms=EVERY_MS_MIN, by="tandem tap", arguments=arguments
    )
    lines = Lines(COLUMNS if service else COLUMNS_OF_ALL) if output == "table" else None

    with Asking(reach.access, reach.prefix) as asking:
        for number, call in enumerate(_calls(asking, asked, within_s, reach), 1):
            if lines and number == 1:
                click.echo(lines.header())
            click.echo(lines.line(row_of(call)) if lines else json.dumps(call, sort_keys=True))
            if number == limit:
                break
        _check(asking, hosts)
    return DONE


def _calls(
    asking: Asking, asked: Ask, within_s: float, reach: Reach
) -> Iterator[Mapping[str, Any]]:
    """Yield calls with the host that each came from; say what else there is to say."""
    told: dict[str, Heard] = {}  # by host: what was heard last
    names: Mapping[str, str] = {}
    answers = asking.ask(asked, within_s, sides=("discover",), enough=lambda _heard: False)
    with contextlib.closing(answers):
        for heard in answers:
            if not told:
                _check(asking, asked.hosts)
                published = published_of(reach.prefix, asking.entries)
                names = names_of_instances(published)

            before, told[heard.host] = told.get(heard.host), heard
            if before and before.answer.facts.get("batch") == heard.answer.facts.get("batch"):
                continue  # the same again, as its docker-discover lost etcd for a moment
            _tell(heard, before)
            statuses = {it.answer.status for it in told.values()}
            if statuses == {"nothing"} and {host for host, _ in asking.missing} <= told.keys():
                raise End(NOT_FOUND, not_found(asked.what, names_of(published)))

            for call in heard.answer.rows:
                yield named(call, heard.host, names)


def _tell(heard: Heard, before: Heard | None) -> None:
    """Say what a host says beside its calls."""
    said = heard.answer
    if said.status == "failed" and (before is None or before.answer.text != said.text):
        tell(f"{heard.host}: {said.text}")
    if said.facts.get("seen") == "off" and before is None:
        tell(f"{heard.host}: these calls are not logged, so nobody sees them: ACCESS_LOG is off")
    if said.left_out:
        tell(f"{heard.host}: {said.left_out} more calls, left out")


def _check(asking: Asking, hosts: tuple[str, ...]) -> None:
    """End if there is nobody to be asked; say who cannot be."""
    fleet = asking.fleet
    for host in hosts:
        if host not in fleet.proxies:
            raise End(NOT_FOUND, f"no docker-discover on {not_found(host, fleet.proxies)}")
    if not fleet.proxies:
        raise End(UNREACHABLE, "no docker-discover is there that can be asked")

    old = sorted(host for host, _side in asking.unable)
    if old:
        tell(f"too old to be asked: {', '.join(old)}")
