"""Answer a shell that asks what may come next: never an error, never a word on standard error."""

import contextlib
import io
from collections.abc import Mapping

import click
from click.shell_completion import get_completion_class

VARIABLE = "_TANDEM_COMPLETE"  # by which click's scripts for shells ask
SHELLS = ("bash", "zsh", "fish")


def script(program: click.Command, name: str, shell: str) -> str:
    """Return what a shell has to read once."""
    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(shell)
    return kind(program, {}, name, VARIABLE).source()


def answer(program: click.Command, name: str, environ: Mapping[str, str]) -> str:
    """Return what may come next, as the shell that asks wants it; nothing if that fails."""
    shell, _, _ = environ[VARIABLE].partition("_")
    kind = get_completion_class(shell)
    if kind is None:
        return ""

    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return kind(program, {"obj": environ}, name, VARIABLE).complete()
        except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001
            # Whatever it is, a person who presses TAB can do nothing about it.
            return ""
