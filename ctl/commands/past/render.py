"""`tandem render`: a host's haproxy.cfg, as it is or as it would have been."""

import click

from catalog.asking.ask import Ask
from catalog.asking.rendered import RENDER, unpacked
from catalog.errors import Rejected
from ctl.asking import Asking
from ctl.commands.past.diff import moment_from
from ctl.commands.shared import tell, with_reach
from ctl.ends import DEADLINE, DONE, NO, NOT_FOUND, UNREACHABLE, WRONG_USE, End
from ctl.line.command import Command
from ctl.line.types import HOST
from ctl.settings import Reach
from ctl.view.names import not_found

HELP = """Print a host's haproxy.cfg.

\b
  tandem render --host a               as HAProxy runs it now
  tandem render --host a --at 10m      as it would have been ten minutes ago
  tandem render --host a --at 8100     for what etcd had at a revision

Lines of snippets and what stands behind words such as password are not shown. An earlier moment
is laid out anew from what etcd had, by the template of today; what is not known of it is said.
"""
WITHIN_S = 15.0  # a large catalog of an earlier day is read and laid out anew


@click.command("render", cls=Command, help=HELP)
@click.option("--host", metavar="HOST", type=HOST, help="whose; needed if there are several")
@click.option("--at", "moment", metavar="TIME|REVISION", help="10m, or a revision of etcd")
@with_reach
def command(reach: Reach, host: str | None, moment: str | None) -> int:
    """Print it."""
    with Asking(reach.access, reach.prefix) as asking:
        newest = asking.meet()
        host = _host(asking, host)
        at = moment_from(asking, moment, newest) if moment else 0
        text, unknown = _text(asking, host, at)

    for why in unknown:
        tell(f"revision {at}: {why}")
    click.echo(text, nl=False)
    return DONE


def _host(asking: Asking, host: str | None) -> str:
    hosts = sorted(asking.fleet.proxies)
    if not hosts:
        raise End(UNREACHABLE, "no docker-discover is there")
    if host is None and len(hosts) > 1:
        raise End(WRONG_USE, f"--host: name one of {', '.join(hosts)}")
    if host is not None and host not in hosts:
        raise End(NOT_FOUND, not_found(host, hosts))
    return host or hosts[0]


def _text(asking: Asking, host: str, at: int) -> tuple[str, list[str]]:
    """Return the text in all its parts, and what is not known of it. Raises End."""
    facts = _part(asking, host, at, 0)
    parts = [str(facts.get("text"))]
    count = facts.get("parts")
    for number in range(1, count if isinstance(count, int) else 1):
        more = _part(asking, host, at, number)
        if more.get("digest") != facts.get("digest"):
            raise End(NO, "it changed while it was read: try again")
        parts.append(str(more.get("text")))
    try:
        text = unpacked(parts)
    except Rejected as error:
        raise End(NO, f"the answer of {host}: {error}") from error

    unknown = facts.get("unknown")
    return text, [str(it) for it in unknown] if isinstance(unknown, list) else []


def _part(asking: Asking, host: str, at: int, part: int) -> dict[str, object]:
    told = {"at": str(at), "part": str(part)}
    asked = Ask(RENDER, hosts=(host,), by="tandem render", arguments=told)
    heard = list(asking.ask(asked, WITHIN_S, sides=("discover",)))
    if not heard:
        is_old = (host, "discover") in asking.unable
        why = "is too old to be asked" if is_old else f"was silent for {WITHIN_S:g} s"
        raise End(UNREACHABLE if is_old else DEADLINE, f"docker-discover of {host} {why}")

    said = heard[-1].answer
    if said.status != "answer":
        helps = "\n  helps: tandem diff tells from the journals what changed since" if at else ""
        raise End(NO, f"{host}: {said.text}{helps}")
    return dict(said.facts)
