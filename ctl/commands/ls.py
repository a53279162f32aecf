"""`tandem ls`: services and who serves them, or hosts and how far they are."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from catalog.asking.ask import APPLIED, EVERY_MS_MIN, SERVICES, Ask
from catalog.errors import Rejected
from ctl.asking import Asking, Heard
from ctl.commands.shared import look, show, tell, with_form, with_reach
from ctl.ends import DONE, NOT_FOUND, UNREACHABLE, End
from ctl.fleet import Sidecar
from ctl.line.colour import may_move
from ctl.line.command import Command
from ctl.line.types import HOST, SERVICE
from ctl.settings import Reach
from ctl.view import proxies, services
from ctl.view.listing.choice import SORTS, Choice, chosen, states_of
from ctl.view.names import is_pattern, matches, not_found
from ctl.view.published import published_of

HELP = """List services, problems first.

\b
  tandem ls                        all of them
  tandem ls 'shop-*' orders        these
  tandem ls --problems             what is wrong, containers that are not published included
  tandem ls --state stubs,nobody   what no real instance answers
  tandem ls -W                     again whenever something changes, until ^C
  tandem ls --proxies              hosts: the revision of etcd that they have applied

READY is how many instances HAProxy has up, of all there are: where hosts differ, the fewest.
STUBS are instances that answer until a real one does. SINCE is how long ago the last instance went
down or, if all are up, for how long the oldest is. NOTE says what is wrong.
"""
WITHIN_S = 3.0
# While somebody watches: who is there is looked up so often, and nothing is shown more often than
# hosts answer. Between two looks they say themselves that something changed.
LOOK_S = 10.0
PACE_S = EVERY_MS_MIN / 1000
CLEAR = "\x1b[H\x1b[2J"
# What may differ though nothing has changed.
_PASSING = ("since", "since_s", "revision")

Row = Mapping[str, Any]


class States(click.ParamType[tuple[str, ...]]):
    """States with commas between them."""

    name = "states"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the states."""
        if isinstance(value, tuple):
            return value
        try:
            return states_of(str(value))
        except Rejected as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, slots=True)
class List:
    """What is listed, and how it is printed."""

    choice: Choice
    is_proxies: bool
    problems: bool
    output: str
    no_headers: bool

    @property
    def asked(self) -> Ask:
        """What has to be asked for it."""
        hosts = (self.choice.host,) if self.choice.host else ()
        return Ask(APPLIED if self.is_proxies else SERVICES, hosts=hosts, by="tandem ls")

    def print(self, rows: Sequence[Row]) -> None:
        """Print rows to standard output."""
        what, columns = "services", services.COLUMNS
        if self.is_proxies:
            what, columns = "proxies", proxies.COLUMNS
        show(what, rows, columns, self.output, self.no_headers)


@click.command("ls", cls=Command, help=HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=SERVICE)
@click.option("--problems", is_flag=True, help="only what is wrong")
@click.option(
    "--state",
    "states",
    metavar="STATES",
    type=States(),
    default=(),
    help=f"only these, with commas: {', '.join(services.STATES)}",
)
@click.option(
    "--host",
    metavar="HOST",
    type=HOST,
    help="only what runs on this host, as its HAProxy sees it",
)
@click.option("--zone", metavar="ZONE", default="", help="only what runs in this zone")
@click.option(
    "--sort",
    type=click.Choice(list(SORTS)),
    help="by this column; without it problems come first",
)
@click.option("--proxies", "is_proxies", is_flag=True, help="hosts and what they have applied")
@click.option("-W", "--watch", is_flag=True, help="list again whenever something changes")
@with_form
@with_reach
def command(
    reach: Reach,
    names: tuple[str, ...],
    states: tuple[str, ...],
    host: str | None,
    zone: str,
    sort: str | None,
    watch: bool,
    **form: Any,
) -> int:
    """List, once or for as long as somebody looks."""
    choice = Choice(names, states, host or "", zone, sort or "")
    wanted = List(choice, **form)
    with Asking(reach.access, reach.prefix) as asking:
        heard = _ask(asking, wanted)
        _check(asking, heard, wanted, reach)
        if watch:
            _watch(asking, heard, wanted, reach)

    for note in _notes(asking, wanted):
        tell(note)
    wanted.print(_rows(asking, heard, wanted, reach))
    return DONE


def _ask(asking: Asking, wanted: List) -> list[Heard]:
    return list(asking.ask(wanted.asked, WITHIN_S, sides=("discover",)))


def _check(asking: Asking, heard: Sequence[Heard], wanted: List, reach: Reach) -> None:
    """End if a host or a service that is named is not there."""
    host, known = wanted.choice.host, asking.fleet.proxies.keys() | asking.fleet.owners
    if host and host not in known:
        raise End(NOT_FOUND, not_found(host, known))
    if wanted.is_proxies:
        return

    rows = services.service_rows(published_of(reach.prefix, asking.entries), heard)
    every = {str(row["service"]) for row in rows}
    for name in wanted.choice.names:
        if not is_pattern(name) and name not in every:
            raise End(NOT_FOUND, not_found(name, every))


def _rows(asking: Asking, heard: Sequence[Heard], wanted: List, reach: Reach) -> Sequence[Row]:
    fleet, choice = asking.fleet, wanted.choice
    if wanted.is_proxies:
        named = (*filter(None, (choice.host,)), *choice.names)
        of_hosts = [
            row
            for row in proxies.proxy_rows(fleet, heard, asking.revision)
            if matches(row["host"], named) and choice.zone in ("", row.get("zone"))
        ]
        return [row for row in of_hosts if not wanted.problems or row["state"] != "SYNCED"]

    published = published_of(reach.prefix, asking.entries)
    rows = list(services.service_rows(published, heard, time.time()))
    if wanted.problems or "refused" in choice.states:
        zones = {host: presence.zone for host, presence in fleet.proxies.items()}
        rows += services.refused_rows(fleet.refusals, zones)
    if wanted.problems:
        rows = [row for row in rows if row["state"] in services.PROBLEMS]
    return chosen(rows, choice)


def _notes(asking: Asking, wanted: List) -> Iterator[str]:
    """Yield what has to be known of a list: who could not be asked, what is not in it."""
    if not asking.fleet.proxies:
        yield "no docker-discover says that it is there: READY is not known"
    if asking.unable:
        yield f"too old to be asked: {_hosts(asking.unable)}"
    if asking.silent:
        yield f"silent for {WITHIN_S:g} s: {_hosts(asking.silent)}"

    refused = services.refused_rows(asking.fleet.refusals, {})
    is_whole = not (wanted.is_proxies or wanted.problems or wanted.choice != Choice())
    if refused and is_whole:
        yield f"not published: {len(refused)}, see tandem ls --problems"


def _hosts(sidecars: frozenset[Sidecar]) -> str:
    return ", ".join(sorted(host for host, _side in sidecars))


def _watch(asking: Asking, heard: list[Heard], wanted: List, reach: Reach) -> None:
    """Print again whenever something changed, until interrupted."""
    environ = click.get_current_context().obj or {}
    moves = may_move(environ, sys.stdout.isatty(), sys.stderr.isatty())
    shown: object = None
    while True:
        if not asking.fleet.able(wanted.asked, ("discover",)):
            raise End(UNREACHABLE, "no docker-discover is there that can be asked")

        rows, notes = _rows(asking, heard, wanted, reach), list(_notes(asking, wanted))
        now = [_lasting(row) for row in rows], notes
        if moves:
            click.echo(CLEAR, nl=False)
            wanted.print(rows)
            for note in (*notes, "whenever something changes; ^C ends"):
                click.echo(look().paint(note, "dim"))
        elif now != shown:
            if shown is not None and wanted.output in ("table", "wide"):
                click.echo()
            for note in notes:
                tell(note)
            wanted.print(rows)
            sys.stdout.flush()

        shown = now
        _wait_for_change(asking, heard, wanted)
        heard = _ask(asking, wanted)


def _wait_for_change(asking: Asking, heard: Sequence[Heard], wanted: List) -> None:
    """Return when a host says another thing, after LOOK_S at the latest and PACE_S at least."""
    known = {it.host: _said(it) for it in heard}
    asked = replace(wanted.asked, every_ms=EVERY_MS_MIN)
    last: dict[str, object] = {}
    for it in asking.ask(asked, PACE_S, sides=("discover",), enough=lambda _heard: False):
        last[it.host] = _said(it)
    if any(said != known.get(host) for host, said in last.items()):
        return

    for it in asking.ask(asked, LOOK_S, sides=("discover",), enough=lambda _heard: False):
        if _said(it) != known.get(it.host):
            return


def _said(heard: Heard) -> object:
    """Return what lasts of an answer: every question is a revision, and time passes."""
    answer = heard.answer
    return answer.status, answer.facts.get("not_ready"), [_lasting(row) for row in answer.rows]


def _lasting(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _PASSING}
