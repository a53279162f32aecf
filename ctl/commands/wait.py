"""`tandem wait`: until services are as they should be on every host, or cannot be."""

import time
from collections.abc import Callable

import click

from catalog.asking.ask import APPLIED, EVERY_MS_MIN, EXPLAIN, Ask
from catalog.errors import Rejected
from ctl.asking import Asking, is_final
from ctl.commands.shared import tell, with_reach
from ctl.ends import DEADLINE, DONE, NO, NOT_FOUND, UNREACHABLE, WRONG_USE, End
from ctl.fleet import Fleet
from ctl.line.command import Command
from ctl.line.types import HOSTS, NAME, TIME
from ctl.settings import Reach
from ctl.view.names import near, not_found
from ctl.view.published import names_of, published_of
from ctl.view.waiting import Goal, Wait, goal_of

HELP = """Wait until services are ready in the HAProxy of every host.

\b
  tandem wait orders pets                   at least one real instance of each, everywhere
  tandem wait orders --for ready=3
  tandem wait orders --for stub             a stub answers
  tandem wait orders --for gone             nobody has it any more
  tandem wait --for revision                all that was written before has arrived everywhere
  tandem wait orders --on host/a --timeout 5m

What does not exist yet is waited for too. It ends soon, with status 1, on what cannot heal by
itself, such as a bad label; --patient waits on. A host that leaves meanwhile is not waited for.
"""


# What no time heals is looked at again: a container that has just started may not be known yet.
SURE_S = 1.0


@click.command("wait", cls=Command, help=HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=NAME)
@click.option(
    "--for",
    "wanted",
    default="ready",
    show_default=True,
    metavar="WHAT",
    help="ready[=N], real, stub, gone or revision[=R]",
)
@click.option(
    "--on",
    "hosts",
    default="all",
    show_default=True,
    metavar="HOSTS",
    type=HOSTS,
    help="whose HAProxy has to have it: all, or host/a,host/b",
)
@click.option(
    "--timeout", default="60s", show_default=True, metavar="TIME", type=TIME, help="for how long"
)
@click.option("--patient", is_flag=True, help="wait on, also on what cannot heal by itself")
@click.option("-q", "--quiet", is_flag=True, help="say nothing but why it failed")
@with_reach
def command(
    reach: Reach,
    names: tuple[str, ...],
    wanted: str,
    hosts: tuple[str, ...],
    timeout: float,
    patient: bool,
    quiet: bool,
) -> int:
    """Wait for all of them, one after the other, within one deadline."""
    try:
        goal = goal_of(wanted)
    except Rejected as error:
        raise End(WRONG_USE, str(error)) from error
    if (goal.kind == "revision") == bool(names):
        raise End(WRONG_USE, "give at least one name, or --for revision without any")

    until_s = time.monotonic() + timeout
    say: Callable[[str], None] = (lambda _text: None) if quiet else click.echo
    with Asking(reach.access, reach.prefix) as asking:
        if goal.kind == "revision":
            _revision(asking, goal, hosts, until_s, say)
        for name in names:
            _name(asking, Wait(name, goal, frozenset()), hosts, until_s, patient, say, reach)
    return DONE


def _name(
    asking: Asking,
    wait: Wait,
    hosts: tuple[str, ...],
    until_s: float,
    patient: bool,
    say: Callable[[str], None],
    reach: Reach,
) -> None:
    started_s, is_hopeless = time.monotonic(), False
    while not wait.is_done(asking.left) and (now_s := time.monotonic()) < until_s:
        end_s = min(until_s, now_s + SURE_S) if is_hopeless else until_s
        _listen(asking, wait, hosts, end_s, patient or is_hopeless)
        _check(asking, hosts)
        why = "" if patient else wait.final(asking.left)
        if why and is_hopeless:
            raise End(NO, f"{wait.name}: {why}")
        is_hopeless = bool(why)

    if not wait.is_done(asking.left):
        exist = names_of(published_of(reach.prefix, asking.entries))
        others = [] if wait.name in exist else near(wait.name, exist)
        hints = [f"near: {', '.join(others)}"] if others else [it for it in (wait.why(),) if it]
        said = [f"{wait.said(asking.left)}, the time is over", *hints]
        raise End(DEADLINE, f"{wait.name}: {'; '.join(said)}")
    say(f"{wait.name}  {wait.said(asking.left)}  {time.monotonic() - started_s:.1f} s")


def _listen(
    asking: Asking, wait: Wait, hosts: tuple[str, ...], until_s: float, is_patient: bool
) -> None:
    """Hear answers until it is so, the time is over, or it seems that no time heals it."""
    wait.last.clear()
    asked = Ask(EXPLAIN, wait.name, hosts, every_ms=EVERY_MS_MIN, by="tandem wait")
    within_s = max(0.0, until_s - time.monotonic())
    for heard in asking.ask(asked, within_s, enough=lambda _heard: False):
        wait.waited_for = asking.missing
        wait.take(heard)
        if wait.is_done(asking.left) or not wait.proxies(asking.left):
            return
        if not is_patient and wait.final(asking.left):
            return
    wait.waited_for = asking.missing


def _revision(
    asking: Asking, goal: Goal, hosts: tuple[str, ...], until_s: float, say: Callable[[str], None]
) -> None:
    started_s = time.monotonic()
    asked = Ask(APPLIED, hosts=hosts, revision=goal.number, by="tandem wait")
    reached = {
        heard.host
        for heard in asking.ask(asked, max(0.0, until_s - started_s), sides=("discover",))
        if is_final(asked, asking.revision, heard.answer)
    }
    _check(asking, hosts)

    number = goal.number or asking.revision
    if asking.silent:
        missing = ", ".join(sorted(host for host, _side in asking.silent))
        raise End(DEADLINE, f"revision {number} has not arrived on {missing}, the time is over")
    say(f"revision {number}  on {len(reached)} hosts  {time.monotonic() - started_s:.1f} s")


def _check(asking: Asking, hosts: tuple[str, ...]) -> None:
    """End if there is nobody to be asked; say who was not waited for."""
    fleet: Fleet = asking.fleet
    for host in hosts:
        if host not in fleet.proxies:
            raise End(NOT_FOUND, f"no docker-discover on {not_found(host, fleet.proxies)}")

    old = {host for host, side in asking.unable if side == "discover"}
    left = {host for host, side in asking.left if side == "discover"}
    if old:
        tell(f"not waited for, too old to be asked: {', '.join(sorted(old))}")
    if left:
        tell(f"left meanwhile: {', '.join(sorted(left))}")
    if not (set(hosts) or fleet.proxies.keys()) - old - left:
        raise End(UNREACHABLE, "no docker-discover is there that can be asked")
