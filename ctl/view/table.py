"""Rows of values as lines of text. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def table_of(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], no_headers: bool = False
) -> Iterator[str]:
    """Yield the lines of a table; the last column is never cut, and nothing else is."""
    lines = [] if no_headers else [[column.upper() for column in columns]]
    lines += [[cell_of(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def cell_of(value: Any) -> str:
    """Return a value as people read it; nothing is a dash."""
    match value:
        case None | "" | []:
            return "-"
        case list() | tuple():
            return ",".join(map(str, value))
    return str(value)
