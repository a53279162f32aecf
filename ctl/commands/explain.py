"""`tandem explain`: why something is called, or why not, along the way of the data."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from catalog.asking.ask import EXPLAIN, Ask
from catalog.keys import holds_root, ports_root
from ctl.asking import Asking, Heard
from ctl.commands.shared import (
    DOCUMENTS,
    look,
    show_document,
    tell,
    with_document,
    with_reach,
)
from ctl.ends import DONE, NO, NOT_FOUND, UNREACHABLE, End
from ctl.fleet import Fleet
from ctl.line.command import Command
from ctl.line.types import HOST, NAME
from ctl.settings import Reach
from ctl.view.chain import Chain, chain_of, lines_of
from ctl.view.names import not_found, thing_of
from ctl.view.published import Published, about, names_of, published_of
from ctl.view.steps.catalog import held_of

HELP = """Say why something is called, or why not.

\b
  tandem explain orders
  tandem explain 8080 --from host/b        only as host b's HAProxy sees it

WHAT is a service, a port, service:port, a host name or URL, or a container by its name or id; also
one that is not there any more, or not yet. The steps are those of the data: the container, its
record, its host's lease; then the HAProxy of each host. ✗ is where it stops, with what helps.

Status 0: calls from every host are served; 1: not; 3: nobody knows it.
"""
WITHIN_S = 3.0


@click.command("explain", cls=Command, help=HELP)
@click.argument("what", metavar="WHAT", type=NAME)
@click.option("--from", "caller", metavar="HOST", type=HOST, help="as callers on this host see it")
@with_document
@with_reach
def command(reach: Reach, what: str, caller: str | None, output: str) -> int:
    """Explain."""
    what, from_host = thing_of(what), caller or ""
    with Asking(reach.access, reach.prefix) as asking:
        heard = list(asking.ask(Ask(EXPLAIN, what, by="tandem explain"), WITHIN_S))
        away = sorted(host for host, side in asking.silent if side == "discover")
        unable = asking.unable

        published = published_of(reach.prefix, asking.entries)
        records = about(published, what)
        heard += _by_id(asking, heard, records)
        held = [*held_of(reach.prefix, asking.look(holds_root))]
        held += held_of(reach.prefix, asking.look(ports_root))

    _check_who_is_there(asking.fleet, reach, from_host)
    for host, side in sorted(unable):
        tell(f"too old to be asked: docker-{side} of {host}")

    silent = [host for host in away if from_host in ("", host)]
    chosen = [it for it in heard if it.side == "register" or from_host in ("", it.host)]
    chain = chain_of(chosen, asking.fleet, silent, records, held, what)
    if not chain.is_known and not silent:
        raise End(NOT_FOUND, _nowhere(what, heard, names_of(published)))

    _show(what, chain, output)
    return DONE if chain.is_reached else NO


def _check_who_is_there(fleet: Fleet, reach: Reach, from_host: str) -> None:
    """End if nobody can answer, or not the host that is asked for."""
    if not fleet.proxies and not fleet.owners:
        raise End(UNREACHABLE, f"nobody of the pair is there below {reach.prefix}")
    if from_host and from_host not in fleet.proxies:
        raise End(NOT_FOUND, f"no docker-discover: {not_found(from_host, fleet.proxies)}")


def _nowhere(what: str, heard: Sequence[Heard], names: Iterable[str]) -> str:
    """Return where it was looked for, and what there is instead."""
    registers = sorted({it.host for it in heard if it.side == "register"})
    proxies = sorted({it.host for it in heard if it.side == "discover"})
    return "\n".join(
        (
            not_found(what, names),
            f"  no container of {_listed(registers)} has it, running or not",
            "  no record, port, host name or default name of etcd is about it",
            f"  no HAProxy of {_listed(proxies)} has had it lately",
            "  helps: tandem ls   # all that is there",
        )
    )


def _listed(hosts: Sequence[str]) -> str:
    return ", ".join(hosts) if hosts else "any host that answers"


def _show(what: str, chain: Chain, output: str) -> None:
    if output in DOCUMENTS:
        steps = [asdict(step) for step in chain.steps]
        show_document({"what": what, "steps": steps, "hosts": dict(chain.hosts)}, output)
        return

    for line in lines_of(chain):
        click.echo(look().line(line))


def _by_id(asking: Asking, heard: list[Heard], records: Sequence[Published]) -> list[Heard]:
    """Ask the proxies again, by its id, of a container that they do not know by its name."""
    proxies = [it.answer for it in heard if it.side == "discover"]
    is_known = any(it.status == "answer" or it.facts.get("refused") for it in proxies)
    if is_known or not records:
        return []

    asked = Ask(EXPLAIN, records[0].short, by="tandem explain")
    return list(asking.ask(asked, WITHIN_S, sides=("discover",)))
