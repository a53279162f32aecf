"""`tandem wait`: until services are as they should be on every host, or cannot be."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import click

from catalog.asking.ask import APPLIED, NAMES_MAX, UNTIL, Ask
from catalog.asking.goal import ANY, FOR
from catalog.errors import Rejected, Unavailable
from ctl.asking import Asking, is_final
from ctl.commands.shared import DOCUMENTS, show_document, tell, with_document, with_reach
from ctl.ends import DEADLINE, DONE, NO, NOT_FOUND, UNREACHABLE, WRONG_USE, End
from ctl.fleet import Sidecar
from ctl.line.command import Command
from ctl.line.types import HOSTS, NAME, TIME
from ctl.settings import Reach
from ctl.view.names import near, not_found
from ctl.view.published import about, names_of, published_of
from ctl.view.waiting import Goal, Wait, goal_of, with_help

HELP = """Wait until services or instances are so in the HAProxy of every host.

\b
  tandem wait orders pets                   at least one real instance of each, everywhere
  tandem wait orders --for ready=3
  tandem wait orders --for stub             a stub answers
  tandem wait orders --for gone             no HAProxy has it any more
  tandem wait 77de12f4 --for draining       it gets no new calls
  tandem wait 77de12f4 --for idle           and its last connection has ended
  tandem wait --for revision                all that was written before has arrived everywhere
  tandem wait orders --on host/a --timeout 5m

What does not exist yet is waited for too. It ends soon, with status 1, on what cannot heal by
itself, such as a bad label; --patient waits on. A host that leaves meanwhile is not waited for.
"""

# What no time heals is looked at again: a container that has just started may not be known yet.
SURE_S = 1.0
# How soon an etcd that went away is asked again.
AGAIN_S = 0.5
# How long hosts that answered before are asked for their last words.
LAST_WORDS_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How it is waited, by the flags of these names."""

    wanted: str
    is_any: bool
    hosts: tuple[str, ...]
    timeout: float
    patient: bool
    quiet: bool
    output: str
    started_s: float = field(default_factory=time.monotonic)

    @property
    def until_s(self) -> float:
        """When the time is over."""
        return self.started_s + self.timeout


@click.command("wait", cls=Command, help=HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=NAME)
@click.option(
    "--for",
    "wanted",
    default="ready",
    show_default=True,
    metavar="WHAT",
    help="ready[=N], real, stub, gone, draining, idle or revision[=R]",
)
@click.option("--any", "is_any", is_flag=True, help="one of the names is enough")
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
@with_document
@with_reach
def command(reach: Reach, names: tuple[str, ...], **flags: Any) -> int:
    """Wait for all of them at once, within one deadline."""
    options = Options(**flags)
    try:
        goal = goal_of(options.wanted)
    except Rejected as error:
        raise End(WRONG_USE, str(error)) from error
    if (goal.kind == "revision") == bool(names):
        raise End(WRONG_USE, "give at least one name, or --for revision without any")
    if len(names) > NAMES_MAX:
        raise End(WRONG_USE, f"at most {NAMES_MAX} names are waited for at once")

    with Asking(reach.access, reach.prefix) as asking:
        if goal.kind == "revision":
            _revision(asking, goal, options)
        else:
            wait = Wait(tuple(dict.fromkeys(names)), goal, options.is_any)
            _names(asking, wait, options, reach.prefix)
    return DONE


def _names(asking: Asking, wait: Wait, options: Options, prefix: str) -> None:
    arguments = {FOR: str(wait.goal)} | ({ANY: "yes"} if wait.is_any else {})
    asked = Ask(UNTIL, "", options.hosts, by="tandem wait", arguments=arguments, names=wait.names)
    started_s = time.monotonic()
    hopeless = _listen_through(asking, asked, wait, options)
    if hopeless and not wait.is_refused_by_proxies(hopeless):
        published = published_of(prefix, asking.look())
        if any(about(published, name) for name in hopeless):  # its host had not said so yet
            patient = replace(options, patient=True)
            hopeless = _listen_through(asking, asked, wait, patient)

    left, after_s = asking.left, time.monotonic() - started_s
    _check(asking, options.hosts)
    is_done = wait.is_done(left)
    if not is_done and not hopeless:
        _hear_last_words(asking, asked, wait)
        left |= asking.left

    _show(wait, left, after_s, options)
    if is_done:
        return
    if hopeless:
        whys = (f"{name}: {with_help(why)}" for name, why in hopeless.items())
        raise End(NO, "\n".join(whys))
    _give_up(asking, wait, after_s, prefix)


def _show(wait: Wait, left: frozenset[Sidecar], after_s: float, options: Options) -> None:
    """Print what is so; as a document, also what is not."""
    if options.output in DOCUMENTS:
        show_document(wait.document(left, after_s), options.output)
        return

    for name in wait.names:
        if wait.is_so(name, left) and not options.quiet:
            click.echo(wait.lines(name, left, after_s)[0])


def _listen_through(
    asking: Asking, asked: Ask, wait: Wait, options: Options
) -> Mapping[str, Mapping[str, Any]]:
    """Listen through outages of etcd; only one that was there from the beginning ends it."""
    while True:
        try:
            return _listen(asking, asked, wait, options)
        except Unavailable:
            if not asking.revision or time.monotonic() + AGAIN_S >= options.until_s:
                raise
            time.sleep(AGAIN_S)  # ^C ends it
            asking.connect_again()


def _listen(
    asking: Asking, asked: Ask, wait: Wait, options: Options
) -> Mapping[str, Mapping[str, Any]]:
    """Hear answers until it is so or the time is over; return what no time heals, if that is it."""
    hopeless: Mapping[str, Mapping[str, Any]] = {}
    answers = asking.ask(
        asked,
        options.until_s - time.monotonic(),
        sides=("discover",),
        also=("register",),
        enough=lambda _heard: False,
        is_over=lambda left: not wait.asked(left) or wait.is_done(left),
    )
    for heard in answers:
        wait.hosts |= {host for host, _side in asking.missing}
        wait.take(heard)
        if wait.is_done(asking.left):
            return {}

        was, hopeless = hopeless, {} if options.patient else wait.hopeless(asking.left)
        if bool(was) != bool(hopeless):
            sure_s = time.monotonic() + SURE_S
            asking.end_by(min(sure_s, options.until_s) if hopeless else options.until_s)
    wait.hosts |= {host for host, _side in asking.missing}
    return hopeless


def _hear_last_words(asking: Asking, asked: Ask, wait: Wait) -> None:
    """Ask those that answered how it is now: what they said may be of long ago."""
    left, silent = asking.left, wait.hosts - wait.said.keys()
    hosts = tuple(sorted(set(wait.asked(left)) - silent))
    again = Ask(UNTIL, "", hosts, by=asked.by, arguments=asked.arguments, names=wait.names)
    if hosts:
        for heard in asking.ask(again, LAST_WORDS_S, sides=("discover",), also=("register",)):
            wait.take(heard)
    asking.left |= left


def _give_up(asking: Asking, wait: Wait, after_s: float, prefix: str) -> None:
    exist = names_of(published_of(prefix, asking.entries))
    said = []
    for name in wait.names:
        if wait.is_so(name, asking.left):
            continue
        said += wait.lines(name, asking.left, after_s)
        if name not in exist and (others := near(name, exist)):
            said.append(f"  near: {', '.join(others)}")
        if why := wait.why(name):
            said.append(f"  {why}")
    raise End(DEADLINE, "the time is over\n" + "\n".join(said))


def _revision(asking: Asking, goal: Goal, options: Options) -> None:
    started_s = time.monotonic()
    asked = Ask(APPLIED, hosts=options.hosts, revision=goal.number, by="tandem wait")
    within_s = max(0.0, options.until_s - started_s)
    reached = {
        heard.host
        for heard in asking.ask(asked, within_s, sides=("discover",))
        if is_final(asked, asking.revision, heard.answer)
    }
    _check(asking, options.hosts)

    number, spent_s = goal.number or asking.revision, time.monotonic() - started_s
    if asking.silent:
        missing = ", ".join(sorted(host for host, _side in asking.silent))
        raise End(DEADLINE, f"revision {number} has not arrived on {missing} in {spent_s:.1f} s")
    if options.output in DOCUMENTS:
        document = {"for": f"revision={number}", "hosts": sorted(reached), "after_s": spent_s}
        show_document(document, options.output)
    elif not options.quiet:
        click.echo(f"revision {number}  on {len(reached)} hosts  {spent_s:.1f} s")


def _check(asking: Asking, hosts: tuple[str, ...]) -> None:
    """End if there is nobody to be asked; say who was not waited for."""
    fleet = asking.fleet
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
