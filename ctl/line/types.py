"""What an argument or flag may be, and which names TAB offers for it: types for click.

@click.argument("names", nargs=-1, type=NAME)
@click.option("--host", type=HOST)
@click.option("--timeout", type=TIME, default="60s")
"""

from typing import Any

import click
from click.shell_completion import CompletionItem

from catalog.errors import Rejected
from ctl.completion.cache import offered
from ctl.contexts import context_of, read
from ctl.settings import OPTIONS, reach_of
from ctl.view.times import seconds_of

# A host name has up to 253 letters, and a path or a port may follow.
NAME_MAX = 300


class Names(click.ParamType[Any]):
    """A name that may be any; TAB offers those of some kinds."""

    def __init__(self, name: str, *kinds: str) -> None:
        self.name = name
        self.kinds = kinds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; a sidecar reads no question with an odd one."""
        name = str(value).strip()
        if not name or len(name) > NAME_MAX or not name.isprintable():
            self.fail(
                f"{value!r:.60} is not a name: up to {NAME_MAX} printable letters", param, ctx
            )
        return name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so."""
        return [CompletionItem(it) for it in self.offered(ctx) if it.startswith(incomplete)]

    def offered(self, ctx: click.Context) -> list[str]:
        """Return all that may be meant; beside other kinds of names, a host is `host/a`."""
        if self.kinds == ("contexts",):
            return sorted(read(ctx.obj))

        given = {option.name: ctx.params.get(option.name.lower()) for option in OPTIONS}
        flags = {name: text for name, text in given.items() if text}
        context = context_of(ctx.obj, ctx.params.get("context"))
        names = offered(reach_of(flags, ctx.obj, context), context, flags, ctx.obj)
        before = {"hosts": "host/"} if len(self.kinds) > 1 else {}
        return sorted(
            {before.get(it, "") + name for it in self.kinds for name in names.get(it, ())}
        )


class Host(Names):
    """One host: `a` or `host/a`; the value is `a`."""

    def __init__(self) -> None:
        super().__init__("host", "hosts")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the host's id."""
        host = str(value).strip().removeprefix("host/")
        if not host or "/" in host:
            self.fail(f"{value!r} is not a host such as a or host/a", param, ctx)
        return host

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the hosts that begin so, with `host/` if that was typed."""
        before = "host/" if incomplete.startswith("host/") else ""
        return [
            CompletionItem(before + it)
            for it in self.offered(ctx)
            if (before + it).startswith(incomplete)
        ]


class Hosts(Host):
    """Several: `all`, or `a,host/b`; the value is a tuple, empty for all."""

    name = "hosts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the hosts' ids."""
        if isinstance(value, tuple):
            return value
        if value == "all":
            return ()
        one = super().convert
        return tuple(dict.fromkeys(one(it, param, ctx) for it in str(value).split(",")))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete what comes after the last comma."""
        begun, comma, last = incomplete.rpartition(",")
        items = super().shell_complete(ctx, param, last)
        return [CompletionItem(f"{begun}{comma}{it.value}") for it in items]


class Time(click.ParamType[float]):
    """A time such as `10m`; the value is in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        try:
            return seconds_of(str(value))
        except Rejected as error:
            self.fail(str(error), param, ctx)


HOST = Host()
HOSTS = Hosts()
TIME = Time()
SERVICE = Names("service", "services")
NAME = Names("name", "services", "containers", "doors")
ANY = Names("name", "services", "containers", "doors", "hosts")
CONTEXT = Names("context", "contexts")
