"""`tandem show`: all that is known of a service, an instance or a host, on one page."""

import time
from collections.abc import Sequence, Set

import click

from catalog.asking.ask import APPLIED, EXPLAIN, Ask
from catalog.keys import DrainedKey, key_of
from ctl.asking import Asking, Heard
from ctl.commands.past.instances import show_at
from ctl.commands.shared import (
    DOCUMENTS,
    look,
    show_document,
    tell,
    with_document,
    with_reach,
)
from ctl.ends import DONE, NOT_FOUND, UNREACHABLE, WRONG_USE, End
from ctl.line.command import Command
from ctl.line.types import ANY
from ctl.overrides.left import left_by_records, left_of
from ctl.overrides.seen import seen_now
from ctl.overrides.target import Target
from ctl.past.journals import Wanted, asked
from ctl.past.merge import merged
from ctl.past.rows import row_of
from ctl.settings import Reach
from ctl.view.calling.seen import seen_ports
from ctl.view.names import not_found
from ctl.view.page.host import HostTold, host_page, lost_rows
from ctl.view.page.page import Page, Section, lines_of
from ctl.view.page.service import service_page
from ctl.view.page.told import Told, containers_called, is_container, joined
from ctl.view.published import Published, about_service, names_of, published_of

HELP = """Show all that is known of a service, an instance or a host.

\b
  tandem show orders
  tandem show 77de12f4          one container
  tandem show orders --at 10m   its instances ten minutes ago, or at a revision of etcd
  tandem show host/a            what runs there, and what would be without an instance

WHAT is a service, a port, service:port, a host name, a container by its name or the beginning of
its id, or host/<host>. Problems come first; then how to call it, its instances, how every host
sees it, its settings and who set them.
"""
WITHIN_S = 3.0
HOST = "host/"
EVENTS = 8
EVENT_COLUMNS = ("time", "service", "what", "instance", "host", "why", "applied", "how", "took")
SHOWN = 5  # of containers that may be meant


@click.command("show", cls=Command, help=HELP)
@click.argument("what", metavar="WHAT", type=ANY)
@click.option("--at", "moment", metavar="TIME|REVISION", help="its instances at an earlier moment")
@with_document
@with_reach
def command(reach: Reach, what: str, moment: str | None, output: str) -> int:
    """Show."""
    with Asking(reach.access, reach.prefix) as asking:
        if moment:
            show_at(asking, reach, what, moment, output)
            return DONE
        page = _host(asking, reach, what) if what.startswith(HOST) else _page(asking, reach, what)

    _print(page, output)
    return DONE


def _page(asking: Asking, reach: Reach, what: str) -> Page:
    heard = list(asking.ask(Ask(EXPLAIN, what, by="tandem show"), WITHIN_S))
    silent = sorted(host for host, side in asking.silent if side == "discover")
    if not asking.fleet.proxies and not asking.fleet.owners:
        raise End(UNREACHABLE, f"nobody of the pair is there below {reach.prefix}")
    for host, side in sorted(asking.unable):
        tell(f"too old to be asked: docker-{side} of {host}")

    published = published_of(reach.prefix, asking.entries)
    records, kind = about_service(published, what), "service"
    if not records and (is_container(heard, what) or containers_called(published, what)):
        records, kind = containers_called(published, what), "instance"
        _check_is_one(what, records)
        heard = _of_containers(asking, heard, records)
    if not records and not any(map(_knows, heard)):
        raise End(NOT_FOUND, not_found(what, names_of(published)))

    # An assigned port stands in no record, and names the service all the same.
    services = {port.service for port in seen_ports(heard)}
    records = records or tuple(it for it in published if it.instance.service in services)
    told = Told(what, asking.fleet, heard, records, silent, time.time())
    is_service = kind == "service"
    names = {it.instance.service if is_service else it.instance.container_name for it in records}
    return service_page(told, kind, _events(asking, names | services if is_service else names))


def _host(asking: Asking, reach: Reach, what: str) -> Page:
    host = what.removeprefix(HOST)
    applied = list(asking.ask(Ask(APPLIED, hosts=(host,), by="tandem show"), WITHIN_S))
    fleet, revision, entries = asking.fleet, asking.revision, asking.entries
    published = published_of(reach.prefix, entries)
    known = fleet.proxies.keys() | fleet.owners | {it.host for it in published}
    if host not in known:
        raise End(NOT_FOUND, not_found(host, known))

    target = Target(what, host)
    seen = seen_now(asking, target)
    left = left_of(seen.rows) if seen.rows else left_by_records(target, published)
    drained = key_of(reach.prefix, DrainedKey(host))
    told = HostTold(
        host,
        fleet,
        tuple(it for it in published if it.host == host),
        applied,
        revision,
        is_drained=any(entry.key == drained for entry in entries),
        lost=lost_rows(host, published, left.nobody, left.only_stubs),
        now_s=time.time(),
    )
    return host_page(told, _events(asking, {host}))


def _events(asking: Asking, names: Set[str]) -> Sequence[Section]:
    """Return what changed last, by the journals of the hosts that keep one."""
    wanted = Wanted(names=tuple(sorted(names - {""})), limit=EVENTS)
    if not wanted.names:
        return ()

    journals = asked(asking, wanted)
    changes = merged(journals.lines)[-EVENTS:]
    now_s = time.time()
    found = [row_of(change, journals.of, now_s) for change in changes]
    empty = "none is known" if journals.hosts else "no docker-discover keeps a journal"
    return (Section("events", "Last events", EVENT_COLUMNS, found, empty),)


def _check_is_one(what: str, records: Sequence[Published]) -> None:
    """End if a text is the beginning of several ids."""
    found = {it.short: it.instance.container_name for it in records}
    if len(found) > 1 and what not in found.values():
        names = ", ".join(f"{id_} {found[id_]}".strip() for id_ in sorted(found)[:SHOWN])
        raise End(WRONG_USE, f"{len(found)} containers have ids that begin with {what}: {names}")


def _of_containers(
    asking: Asking, heard: Sequence[Heard], records: Sequence[Published]
) -> list[Heard]:
    """Ask the proxies of the services that containers have a part in, and keep their part."""
    services = dict.fromkeys(it.instance.service for it in records)
    answers = [
        it
        for service in services
        for it in asking.ask(Ask(EXPLAIN, service, by="tandem show"), WITHIN_S, sides=("discover",))
    ]
    if not answers:
        return list(heard)
    registers = [it for it in heard if it.side == "register"]
    return [*registers, *joined(answers, {it.short for it in records})]


def _knows(heard: Heard) -> bool:
    is_told = heard.answer.status == "answer" and bool(heard.answer.rows or heard.answer.facts)
    return is_told or bool(heard.answer.facts.get("refused"))


def _print(page: Page, output: str) -> None:
    if output in DOCUMENTS:
        show_document(page.document, output)
        return

    for line in lines_of(page):
        click.echo(look().line(line))
