"""What commands have in common: where etcd is, forms of output, and how a failing etcd ends one."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from catalog.errors import Refused, Unavailable
from ctl.ends import UNREACHABLE, End
from ctl.settings import OPTIONS, Reach, reach_of
from ctl.view.table import table_of

FORMS = ("table", "wide", "json", "name")
VERSION = 1


def with_reach(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of etcd, and its function the Reach that they tell."""

    @click.pass_context
    @functools.wraps(function)
    def called(ctx: click.Context, /, **given: Any) -> int:
        flags = {option.name: given.pop(option.name.lower()) for option in OPTIONS}
        told = {name: text for name, text in flags.items() if text is not None}
        reach = reach_of(told, ctx.obj)
        try:
            return function(reach, **given)
        except Refused as error:
            raise End(UNREACHABLE, _refused(reach, error)) from error
        except Unavailable as error:
            raise End(UNREACHABLE, f"etcd at {reach} cannot be reached: {error}") from error

    for option in reversed(OPTIONS):
        flag = click.option(
            option.flag,
            option.name.lower(),
            metavar=option.name,
            help=option.meaning + (f" (default: {option.default})" if option.default else ""),
        )
        called = flag(called)
    return called


def _refused(reach: Reach, error: Refused) -> str:
    return (
        f"etcd at {reach} refuses: {error}. "
        f"Reading needs the right to read {reach.prefix}/, "
        f"asking also to write below {reach.prefix}/v1/asks/"
    )


def with_form(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of its output."""
    headers = click.option("--no-headers", is_flag=True, help="leave out the first line of a table")
    form = click.option(
        "-o", "--output", type=click.Choice(FORMS), default="table", show_default=True
    )
    return form(headers(function))


def show(
    what: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Sequence[str]],
    output: str,
    no_headers: bool,
) -> None:
    """Print rows to standard output; the first column of a table is the name."""
    match output:
        case "json":
            show_json({what: list(rows)})
        case "name":
            for name in dict.fromkeys(str(row[columns["table"][0]]) for row in rows):
                click.echo(name)
        case _:
            for line in table_of(rows, columns[output], no_headers):
                click.echo(line)


def show_json(document: Mapping[str, Any]) -> None:
    """Print one document, with the version of its form."""
    click.echo(json.dumps({**document, "v": VERSION}, sort_keys=True, indent=2))


def tell(text: str) -> None:
    """Say something that is not the result."""
    click.echo(text, err=True)
