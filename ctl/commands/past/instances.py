"""`tandem show --at`: the instances of a service or a container, as etcd had them at a moment."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from ctl.asking import Asking
from ctl.commands.past.diff import moment_from
from ctl.commands.shared import show_document, tell
from ctl.ends import NO, NOT_FOUND, End
from ctl.past.moments import past_at
from ctl.settings import Reach
from ctl.view.names import not_found
from ctl.view.published import Published, about, names_of, published_of
from ctl.view.table import table_of

COLUMNS = ("service", "instance", "host", "address", "port", "role", "state", "weight")


def show_at(asking: Asking, reach: Reach, what: str, moment: str, output: str) -> None:
    """Print what etcd had of it then. Raises End."""
    revision = moment_from(asking, moment, asking.meet())
    past = past_at(asking, revision)
    if past.entries is None:
        helps = f"tandem history {what} --since {revision} tells what changed since"
        raise End(NO, f"{past.why}\n  helps: {helps}")

    every = published_of(reach.prefix, past.entries)
    found = [it for it in every if it.host == what.removeprefix("host/")] or about(every, what)
    if not found:
        raise End(NOT_FOUND, f"at revision {revision} {not_found(what, names_of(every))}")

    tell(f"as etcd had it at revision {revision}; what HAProxy's checks said then is not known")
    _print(list(_rows(found)), revision, output)


def _rows(published: Iterable[Published]) -> Iterable[Mapping[str, Any]]:
    for it in published:
        instance = it.instance
        yield {
            "service": instance.service,
            "instance": instance.container_name or it.short,
            "host": it.host,
            "address": f"{instance.address}:{instance.port}",
            "port": instance.service_port,
            "role": instance.role,
            "state": " ".join(filter(None, (instance.state, instance.leaving))),
            "weight": instance.weight,
            "container": it.short,
        }


def _print(rows: list[Mapping[str, Any]], revision: int, output: str) -> None:
    if output != "table":
        show_document({"instances": rows, "revision": revision}, output)
        return
    for line in table_of(rows, COLUMNS):
        click.echo(line)
