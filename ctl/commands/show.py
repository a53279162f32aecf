"""`tandem show`: all that is known of a service, an instance or a host, on one page."""

import click

from catalog.asking.ask import EXPLAIN, Ask
from ctl.asking import Asking, Heard
from ctl.commands.shared import (
    DOCUMENTS,
    look,
    show_document,
    tell,
    with_document,
    with_reach,
)
from ctl.ends import DONE, NOT_FOUND, UNREACHABLE, End
from ctl.line.command import Command
from ctl.line.types import ANY
from ctl.settings import Reach
from ctl.view.names import not_found
from ctl.view.page.page import Page, lines_of
from ctl.view.page.service import Told, service_page
from ctl.view.published import about, names_of, published_of

HELP = """Show all that is known of a service, an instance or a host.

\b
  tandem show orders
  tandem show 77de12f4          one container
  tandem show host/a            what runs there, and what would be without an instance

WHAT is a service, a port, service:port, a host name, a container by its name or the beginning of
its id, or host/<host>. Problems come first; then how to call it, its instances, how every host
sees it, its settings and who set them.
"""
WITHIN_S = 3.0


@click.command("show", cls=Command, help=HELP)
@click.argument("what", metavar="WHAT", type=ANY)
@with_document
@with_reach
def command(reach: Reach, what: str, output: str) -> int:
    """Show."""
    with Asking(reach.access, reach.prefix) as asking:
        page = _service(asking, reach, what)

    _print(page, output)
    return DONE


def _service(asking: Asking, reach: Reach, what: str) -> Page:
    heard = list(asking.ask(Ask(EXPLAIN, what, by="tandem show"), WITHIN_S))
    silent = sorted(host for host, side in asking.silent if side == "discover")
    if not asking.fleet.proxies and not asking.fleet.owners:
        raise End(UNREACHABLE, f"nobody of the pair is there below {reach.prefix}")
    for host, side in sorted(asking.unable):
        tell(f"too old to be asked: docker-{side} of {host}")

    published = published_of(reach.prefix, asking.entries)
    records = about(published, what)
    if not records and not any(_knows(it) for it in heard):
        raise End(NOT_FOUND, not_found(what, names_of(published)))
    return service_page(Told(what, asking.fleet, heard, records, silent))


def _knows(heard: Heard) -> bool:
    return heard.answer.status == "answer" or bool(heard.answer.facts.get("refused"))


def _print(page: Page, output: str) -> None:
    if output in DOCUMENTS:
        show_document(page.document, output)
        return

    for line in lines_of(page):
        click.echo(look().line(line))
