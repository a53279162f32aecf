"""`tandem intercept`: calls of a service come to this machine, for as long as this runs."""

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from getpass import getuser
from platform import node
from typing import Any

import click

from catalog.errors import Rejected
from catalog.overrides.override import Override
from ctl.asking import store_of
from ctl.commands.shared import show, tell, with_form, with_reach
from ctl.ends import DONE, GUARD, NOT_FOUND, WRONG_USE, End
from ctl.intercepts import target
from ctl.intercepts.around import look_around
from ctl.intercepts.holding import end_intercept, intercepts_in
from ctl.intercepts.session import Plan, Session, ending_on_signals
from ctl.intercepts.wish import calls_text, hosts_text, intercept_rows, wish_of
from ctl.line.command import Changing
from ctl.line.types import HOSTS, SERVICE, TIME
from ctl.settings import Reach
from ctl.view.names import not_found

HELP = """Lead calls of a service to this machine, for as long as this runs.

\b
  tandem intercept orders --to :9000 --header x-dev=anna
  tandem intercept orders --to :9000 --header x-dev=anna -- npm start
  tandem intercept orders --to 192.0.2.77:9000 --path /api/v2
  tandem intercept postgres --to :5432 --all --only host/a      tcp: all calls of one host
  tandem intercept ls                                           who intercepts what
  tandem intercept end ID
  tandem intercept end --mine

Only calls that you choose come here: those with a header, or below a path. All others go where
they always go. It ends with ^C, with COMMAND, or after --ttl. If this machine crashes, sleeps or
loses its network, all hosts take the calls back within 15 s.

Without a host, --to means this machine as etcd sees it. While nothing accepts connections there,
callers that you chose get 503 and your name, never another's reply.
"""
COLUMNS = {
    "table": ("id", "service", "calls", "to", "by", "hosts", "until"),
    "wide": ("id", "service", "calls", "to", "by", "hosts", "until", "why"),
}
LS, END = "ls", "end"
COMMAND = "tandem.command"  # in the context of click


class WithCommand(Changing):
    """Takes all after `--` as a command of its own, whatever its flags."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before it."""
        before, after = list(args), []
        if "--" in before:
            at = before.index("--")
            before, after = before[:at], before[at + 1 :]
            if not after:
                raise click.UsageError("-- is followed by no command")
        ctx.meta[COMMAND] = tuple(after)
        return super().parse_args(ctx, before)


@click.command("intercept", cls=WithCommand, help=HELP)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="SERVICE | ls | end ID... [-- COMMAND]",
    type=SERVICE,
)
@click.option("--to", metavar="[HOST]:PORT", help="where calls go")
@click.option("--header", default="", metavar="NAME=VALUE", help="calls with this header")
@click.option("--path", default="", metavar="/PATH", help="calls below this path")
@click.option("--all", "all_calls", is_flag=True, help="all calls; asks first")
@click.option("--only", default="all", metavar="HOSTS", type=HOSTS, help="on host/a,host/b")
@click.option(
    "--ttl", default="2h", show_default=True, metavar="TIME", type=TIME, help="at most so long"
)
@click.option("--take", is_flag=True, help="also what somebody else intercepts")
@click.option("--why", default="", metavar="TEXT", help="for others who look")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@click.option("--mine", is_flag=True, help="with end: all of yours")
@with_form
@with_reach
def command(
    reach: Reach, words: tuple[str, ...], output: str, no_headers: bool, **given: Any
) -> int:
    """Begin one, list them, or end some."""
    flags = Flags(**given)
    me = f"{getuser()}@{node()}"
    if words[0] == LS:
        return _ls(reach, output, no_headers)
    if words[0] == END:
        return _end(reach, words[1:], me, mine=flags.mine, take=flags.take)
    if len(words) > 1:
        raise End(WRONG_USE, f"one service at a time; what shall run comes after --: {words[1]}")
    return _begin(reach, words[0], me, flags)


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of the command, as they were given."""

    to: str | None
    header: str
    path: str
    all_calls: bool
    only: tuple[str, ...]
    ttl: float
    take: bool
    why: str
    yes: bool
    mine: bool


def _begin(reach: Reach, name: str, me: str, flags: Flags) -> int:
    if flags.to is None:
        raise End(WRONG_USE, "say where calls shall go: --to :9000, or --to 192.0.2.77:9000")
    try:
        wish = wish_of(name, flags.header, flags.path, flags.only, all_calls=flags.all_calls)
        at, is_own = target.target_of(flags.to, reach.access)
        until_s = int(time.time() + flags.ttl)

        around = look_around(reach)
        wish = around.on_reachable_hosts(around.known(wish), at, is_own=is_own)
        override = Override(
            by=me,
            why=flags.why,
            until_s=until_s,
            to=at,
            header=wish.header,
            path=wish.path,
            port=wish.port,
            only=wish.only,
        )
    except Rejected as error:
        raise End(WRONG_USE, str(error)) from error

    if is_own:
        tell(f"calls come to {at}: this machine as etcd sees it")
    if flags.all_calls and not flags.yes:
        _ask(name, override, around.hosts(wish))
    run = click.get_current_context().meta[COMMAND]
    with ending_on_signals():
        plan = Plan(name, wish, override, take=flags.take, command=run)
        return Session(reach, plan, click.echo, tell).run()


def _ask(name: str, override: Override, hosts: Sequence[str]) -> None:
    text = f"{name} on {hosts_text(hosts)}: all calls shall go to {override.to}"
    if not sys.stdin.isatty():
        raise End(GUARD, f"{text}: give --yes if that is meant")
    click.confirm(f"{text}. Go on?", abort=True, err=True)


def _ls(reach: Reach, output: str, no_headers: bool) -> int:
    with contextlib.closing(store_of(reach.access)) as store:
        rows = intercept_rows(intercepts_in(reach.prefix, store), time.time())
    show("intercepts", rows, COLUMNS, output, no_headers)
    return DONE


def _end(reach: Reach, ids: Sequence[str], me: str, *, mine: bool, take: bool) -> int:
    if mine == bool(ids):
        raise End(WRONG_USE, "name the ids to end, as tandem intercept ls shows them, or --mine")

    with contextlib.closing(store_of(reach.access)) as store:
        found = intercepts_in(reach.prefix, store)
        by_id = {key.id: key for key in found}
        for id_ in ids:
            if id_ not in by_id:
                raise End(NOT_FOUND, not_found(id_, by_id))

        for key, standing in found.items():
            its = standing.override
            if its is None or not (key.id in ids or (mine and its.by == me)):
                continue
            if its.by != me and not take:
                raise End(GUARD, f"{key.id} is of {its.by}: --take ends it all the same")
            end_intercept(reach.prefix, store, key, standing)
            click.echo(f"{key.service}: {calls_text(its)} go where they always go again")
    return DONE
