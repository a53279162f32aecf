"""Figures whose names are cells, laid out as tables: a row for each side, a column for each value.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.report.figures import CELL, Figure


@dataclass(slots=True)
class Grid:
    """One table: the figure of each row and column."""

    title: str
    cells: dict[str, dict[str, Figure]] = field(default_factory=dict)

    def rows(self) -> list[list[str]]:
        """Return the table as text, its head first; a value that a row has not stays empty."""
        columns = list(dict.fromkeys(name for row in self.cells.values() for name in row))
        table = [[self.title, *columns]]
        for side, figures in self.cells.items():
            table.append([side, *(_text(figures.get(column)) for column in columns)])
        return table


def _text(figure: Figure | None) -> str:
    return f"{figure.text} {figure.unit}" if figure else ""


def parted(figures: Sequence[Figure]) -> tuple[list[Grid], list[Figure]]:
    """Return the tables that figures make up, in their order, and the figures that are in none."""
    grids: dict[str, Grid] = {}
    single = []
    for figure in figures:
        if CELL not in figure.name:
            single.append(figure)
            continue

        title, row, column = figure.name.split(CELL)
        grid = grids.setdefault(title, Grid(title))
        grid.cells.setdefault(row, {})[column] = figure
    return list(grids.values()), single
