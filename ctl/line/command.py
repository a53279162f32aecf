"""A command of `tandem`: how its help is laid out, and that all mistakes are said at once.

    @click.command("ls", cls=Command, help=HELP)

A help begins with one sentence and its examples; the flags of etcd and the exit statuses come last.
"""

import click

from ctl import ends
from ctl.line import colour
from ctl.settings import OPTIONS

STATUSES = "Exit status"
FLAGS_OF_ETCD = frozenset(option.name.lower() for option in OPTIONS) | {"context"}
MISTAKES_MAX = 20


class Command(click.Command):
    """Has `--color`, says all mistakes of a line at once, and ends its help with the statuses."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return its parameters, `--color` before `--help`."""
        *own, help_ = super().get_params(ctx)
        return [*own, _COLOR, help_]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read a line, once more without each mistake. Raises UsageError with all of them."""
        mistakes: list[str] = []
        left: list[str] | None = list(args)
        while left is not None and len(mistakes) < MISTAKES_MAX:
            ctx.params.clear()
            try:
                rest = super().parse_args(ctx, list(left))
            except click.exceptions.NoArgsIsHelpError:
                raise
            except click.UsageError as error:
                mistakes.append(_said(error))
                left = _without(left, error)
            else:
                if mistakes:
                    break
                return rest
        raise click.UsageError("\n".join(mistakes), ctx)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help`."""
        option = super().get_help_option(ctx)
        if option:
            option.help = "show this"
        return option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write its own flags; of those of etcd only the names, as all commands have them."""
        options = [it for it in self.get_params(ctx) if isinstance(it, click.Option)]
        own = [it.get_help_record(ctx) for it in options if it.name not in FLAGS_OF_ETCD]
        of_etcd = [it.opts[0] for it in options if it.name in FLAGS_OF_ETCD]

        with formatter.section("Flags"):
            formatter.write_dl([record for record in own if record])
        if of_etcd:
            with formatter.section("Where etcd is (tandem --help says more)"):
                formatter.write_text(" ".join(of_etcd))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit statuses."""
        write_statuses(formatter)


class Changing(Command):
    """A command that changes something: it says first where."""


def write_reach(formatter: click.HelpFormatter) -> None:
    """Write how a line says where etcd is."""
    rows = [("--context NAME", "a context of tandem config; TANDEM_CONTEXT")]
    for option in OPTIONS:
        default = f" (default: {option.default})" if option.default else ""
        rows.append((f"{option.flag} {option.name}", option.meaning + default))
    with formatter.section("Where etcd is: flags of all commands that ask, or variables"):
        formatter.write_dl(rows)


def write_statuses(formatter: click.HelpFormatter) -> None:
    """Write what each exit status means."""
    with formatter.section(STATUSES):
        formatter.write_dl([(str(it), ends.MEANINGS[it]) for it in ends.MEANINGS])


def _said(error: click.UsageError) -> str:
    """Return a mistake in the form of the sidecars: which flag, and what was seen."""
    match error:
        case click.MissingParameter():
            return error.format_message()
        case click.BadParameter() if error.param is not None:
            return f"{_name_of(error.param)}: {error.message}"
    return error.format_message()


def _name_of(param: click.Parameter) -> str:
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return (param.metavar or str(param.name)).upper().strip("[].")


def _without(args: list[str], error: click.UsageError) -> list[str] | None:
    """Return a line without the flag that is wrong, or None if another look shows nothing more."""
    names = _names_in(error)
    takes_value = isinstance(error, click.BadParameter) and not getattr(error.param, "is_flag", 0)
    for at, word in enumerate(args):
        if word == "--":
            break
        if word.partition("=")[0] in names:
            width = 2 if takes_value and "=" not in word else 1
            return args[:at] + args[at + width :]
        is_short = word[:2] in names and not word.startswith("--")
        if is_short:
            return args[:at] + args[at + 1 :]
    return None


def _names_in(error: click.UsageError) -> tuple[str, ...]:
    match error:
        case click.NoSuchOption() | click.BadOptionUsage():
            return (error.option_name,)
        case click.MissingParameter():
            return ()
        case click.BadParameter() if error.param is not None:
            return tuple(error.param.opts)
    return ()


def _chosen(ctx: click.Context, _param: click.Parameter, value: str) -> None:
    ctx.find_root().meta[colour.WHEN] = value


_COLOR = click.Option(
    ["--color"],
    type=click.Choice(colour.CHOICES),
    default="auto",
    expose_value=False,
    callback=_chosen,
    help="colours: auto is on a terminal, unless NO_COLOR is set",
)
