"""Read what HAProxy answers: its tables, the lines of a map, and whether a command was done.

No I/O.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

# What HAProxy says when it did what it was told: src/server.c and src/proxy.c of 2.6 to 3.2.
_DONE = re.compile(
    r"New server registered\.|nothing changed|no need to change the (addr|port)\b.*|"
    r"(IP|port) changed from .*|.*(IP|port) changed from .* by 'stats socket command'"
)

# srv_admin_state: a server that its line in the file disables. It says so for good, also once the
# server is ready.
DISABLED_IN_FILE = 0x04


class Mismatch(Exception):
    """HAProxy did not take a change at runtime as it should have: a reload puts it right."""


def rows_of(answers: str, *columns: str, separator: str = " ") -> Iterator[tuple[str, ...]]:
    """Yield these columns of each row of the tables in some answers; skip every other line.

    HAProxy names a table's columns in a line before its rows that begins with "# ".
    """
    width = 0
    picked: Sequence[int] = ()

    for line in answers.splitlines():
        if line.startswith("# "):
            names = line.removeprefix("# ").split(separator)
            width = len(names)
            picked = [names.index(name) for name in columns if name in names]
            continue

        words = line.split(separator)
        if len(picked) == len(columns) and len(words) >= width:
            yield tuple([words[index] for index in picked])


def table_of(answer: str, *columns: str) -> Sequence[tuple[str, ...]]:
    """Return these columns of a table that comes alone, below its version.

    Raises Mismatch for anything else.
    """
    lines = [line for line in answer.splitlines() if line]
    rows = list(rows_of(answer, *columns))

    is_table = len(lines) >= 2 and lines[1].startswith("# ") and len(rows) == len(lines) - 2
    if not is_table:
        raise Mismatch(f"no table with the columns {', '.join(columns)}: {answer[:80]!r}")

    return rows


def map_entries(answer: str) -> Mapping[str, str]:
    """Return the entries in an answer to `show map`. Raises Mismatch."""
    entries: dict[str, str] = {}

    for line in filter(None, answer.splitlines()):
        words = line.split(" ")
        if len(words) != 3 or words[1] in entries:
            raise Mismatch(f"the door's map has the line {line!r:.80}")

        _address, key, value = words
        entries[key] = value

    return entries


def expect_done(answer: str) -> None:
    """Raise Mismatch for the first line of an answer that does not say that a command was done."""
    for line in answer.splitlines():
        if line and not _DONE.fullmatch(line):
            raise Mismatch(f"HAProxy answered {line!r:.120}")
