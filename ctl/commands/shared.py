"""What commands have in common: where etcd is, forms of output, and how a failing etcd ends one."""

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from catalog.errors import Refused, Rejected, Unavailable
from ctl.contexts import context_of
from ctl.ends import GUARD, UNREACHABLE, End
from ctl.line.colour import WHEN, Look, look_of
from ctl.line.command import Changing
from ctl.line.types import CONTEXT
from ctl.settings import OPTIONS, Reach, reach_of
from ctl.view.table import table_of
from sidecar.options import Option

FORMS = ("table", "wide", "json", "yaml", "ndjson", "name")
DOCUMENTS = ("json", "yaml")  # of what is no list of rows
VERSION = 1


def with_reach(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of etcd, and its function the Reach that they tell."""
    return _with_reach(function, "")


def with_reach_if(flag: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Do so if a flag is given; else the function gets None, whatever the settings are."""
    return lambda function: _with_reach(function, flag)


def _with_reach(function: Callable[..., int], flag: str) -> Callable[..., int]:
    @click.pass_context
    @functools.wraps(function)
    def called(ctx: click.Context, /, **given: Any) -> int:
        flags = {option.name: given.pop(option.name.lower()) for option in OPTIONS}
        told = {name: text for name, text in flags.items() if text is not None}
        asked = given.pop("context")
        if flag and not given[flag]:
            return function(None, **given)

        reach = reach_of(told, ctx.obj, context_of(ctx.obj, asked))
        if isinstance(ctx.command, Changing):
            tell(_where(reach))
        try:
            return function(reach, **given)
        except Refused as error:
            is_change = isinstance(ctx.command, Changing)
            raise End(GUARD, _refused(reach, error, is_change=is_change)) from error
        except Unavailable as error:
            raise End(UNREACHABLE, _away(reach, error)) from error

    for option in reversed(OPTIONS):
        setting = click.option(
            option.flag,
            option.name.lower(),
            metavar=option.name,
            type=_Setting(option),
            help=option.meaning + (f" (default: {option.default})" if option.default else ""),
        )
        called = setting(called)
    context = click.option("--context", metavar="NAME", type=CONTEXT, help="settings of a context")
    return context(called)


class _Setting(click.ParamType[str]):
    """The text of a sidecar's setting, which can be read; its mistake is told with the others."""

    name = "setting"

    def __init__(self, option: Option) -> None:
        self._option = option

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is."""
        try:
            self._option.read(value)
        except (Rejected, ValueError) as error:
            self.fail(str(error), param, ctx)
        return value


def _where(reach: Reach) -> str:
    context = f"context {reach.context}: " if reach.context else ""
    return f"{context}etcd at {reach}, prefix {reach.prefix}"


def _refused(reach: Reach, error: Refused, *, is_change: bool) -> str:
    """Return what etcd refuses, and the role or the login that is needed."""
    said = f"etcd at {reach} refuses: {error}"
    if not reach.access.user and not reach.access.cert:
        return f"{said}\n  helps: a login: --etcd-user and --etcd-password, or ETCD_PASSWORD_FILE"

    written = ["v1/asks/", *(["v1/overrides/"] if is_change else [])]
    grants = [f"read {reach.prefix}/", *(f"readwrite {reach.prefix}/{it}" for it in written)]
    lines = [f"    etcdctl role grant-permission ROLE --prefix=true {it}" for it in grants]
    return "\n".join([said, "  helps: the right password, and a role with these rights:", *lines])


def _away(reach: Reach, error: Unavailable) -> str:
    named = f"context {reach.context} names it" if reach.context else "--etcd-host or ETCD_HOST"
    return (
        f"etcd at {reach} cannot be reached: {error}\n"
        f"  helps: say where it is ({named}), or start it. Calls go on meanwhile;\n"
        f"  what a host's HAProxy runs: docker exec docker-discover explain"
    )


def with_form(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of its output."""
    headers = click.option("--no-headers", is_flag=True, help="leave out the first line of a table")
    form = click.option(
        "-o",
        "--output",
        type=click.Choice(FORMS),
        default="table",
        show_default=True,
        help="form of the result; wide has more columns, ndjson one document a line",
    )
    return form(headers(function))


def with_document(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command whose result is no list the flag of its output."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(("table", *DOCUMENTS)),
        default="table",
        show_default=True,
        help="form of the result: for people, or one document",
    )(function)


def show(
    what: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Sequence[str]],
    output: str,
    no_headers: bool,
) -> None:
    """Print rows to standard output; the first column of a table is the name."""
    match output:
        case "json" | "yaml":
            show_document({what: list(rows)}, output)
        case "ndjson":
            for row in rows:
                show_line(row)
        case "name":
            for name in dict.fromkeys(str(row[columns["table"][0]]) for row in rows):
                click.echo(name)
        case _:
            first, *others = [*table_of(rows, columns[output], no_headers)] or [""]
            if first:
                click.echo(first if no_headers else look().paint(first, "head"))
            for line in others:
                click.echo(line)


def show_json(document: Mapping[str, Any]) -> None:
    """Print one document, with the version of its form."""
    show_document(document, "json")


def show_document(document: Mapping[str, Any], output: str) -> None:
    """Print one document as JSON or YAML, its keys sorted, with the version of its form."""
    versioned = {**document, "v": VERSION}
    if output == "yaml":
        from ctl.line.yaml_text import yaml_of  # nobody else waits for it  # noqa: PLC0415

        click.echo(yaml_of(json.loads(json.dumps(versioned))), nl=False)
        return
    click.echo(json.dumps(versioned, sort_keys=True, indent=2))


def show_line(row: Mapping[str, Any]) -> None:
    """Print one document in one line, and at once, as whoever reads may act on it."""
    click.echo(json.dumps({**row, "v": VERSION}, sort_keys=True))
    sys.stdout.flush()


def look() -> Look:
    """Return how standard output may look."""
    ctx = click.get_current_context(silent=True)
    environ = ctx.obj if ctx and ctx.obj else {}
    when = ctx.find_root().meta.get(WHEN, "auto") if ctx else "never"
    return look_of(environ, sys.stdout.encoding or "", sys.stdout.isatty(), when)


def tell(text: str) -> None:
    """Say something that is not the result."""
    click.echo(text, err=True)
