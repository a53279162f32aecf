"""Needs as lines to paste: .env, shell, compose; all that is said is a comment. No I/O."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from catalog.asking.fields import printable
from ctl.view.calling.needs import Need
from ctl.view.calling.ways import PROXY, START_SO, Caller

FORMS = ("env", "shell", "compose")


def lines_of(needs: Sequence[Need], form: str, caller: Caller) -> Iterator[str]:
    """Yield the lines of a file that can be sourced or pasted."""
    indent = "  " if form == "compose" else ""
    if form == "compose":
        yield from _head_of_compose(caller, is_empty=not any(need.variables for need in needs))
    elif caller == "container":
        yield f"# {START_SO}"

    for number, need in enumerate(needs):
        if number:
            yield ""
        for line in (*_comments(need), *_variables(need, form)):
            yield f"{indent}{line}"


def _head_of_compose(caller: Caller, *, is_empty: bool) -> Iterator[str]:
    yield "# below your service in compose.yaml"
    if caller == "container":
        yield "extra_hosts:"
        yield f"  - {PROXY}:host-gateway"
    yield "environment: {}" if is_empty else "environment:"


def _comments(need: Need) -> Iterator[str]:
    for note in need.notes:
        yield f"# {printable(f'{need.asked}: {note}')}"
    if need.start:
        yield "# a stub for it, until there is a real one:"
        yield f"#   {printable(need.start)}"


def _variables(need: Need, form: str) -> Iterator[str]:
    for name, value in need.variables.items():
        match form:
            case "compose":
                yield f"{name}: {json.dumps(value)}"
            case "shell":
                yield f"export {name}={shlex.quote(value)}"
            case _:
                yield f"{name}={value}"


def document_of(needs: Iterable[Need], caller: Caller) -> dict[str, Any]:
    """Return needs for programs."""
    return {"from": caller, "needs": [asdict(need) for need in needs]}
