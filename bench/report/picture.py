"""Draw the pictures of the page: each shows Tandem beside what it is compared with.

The only user of matplotlib. Another picture is one more entry of PICTURES.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from bench.report.grid import Grid, parted
from bench.report.page import Result

mpl.use("Agg")  # no screen

INK = "#333333"
GREY = "#9aa4b2"
LIGHT_GREY = "#d0d7de"
Results = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the section of one part; `draw` returns the figure of matplotlib."""

    file: str
    alt: str
    draw: Callable[[Results], Any]


def draw_all(results: Results, folder: Path) -> dict[str, str]:
    """Write the pictures of all parts that were measured; return for each part its Markdown."""
    drawn = {}
    for part, picture in PICTURES.items():
        if part not in results:
            continue

        figure = picture.draw(results)
        figure.tight_layout()
        figure.savefig(folder / picture.file, metadata={"Software": None})
        pyplot.close(figure)
        drawn[part] = f"![{picture.alt}]({picture.file})"
    return drawn


# -- start and stop, beside the bare loop

COLOURS = {"Tandem": "#1f6feb", "bare loop": GREY}
SUBJECTS = {"start": "event to first reply", "stop": "signal to last request"}
PERCENTS = ("p50", "p90", "p99")
BAR_STEP = 0.38
BAR_WIDTH = 0.36


def _starts(results: Results) -> Any:
    shown = [name for name in SUBJECTS if name in results]
    figure, [axes] = pyplot.subplots(
        1,
        len(shown),
        figsize=(3.6 * len(shown), 2.4),
        dpi=150,
        squeeze=False,
    )
    for axis, name in zip(axes, shown, strict=True):
        _start_bars(axis, name, results[name])

    axes[0].legend(fontsize=7, frameon=False)
    return figure


def _start_bars(axis: Any, name: str, result: Result) -> None:
    """Draw the bars of one measurement."""
    subject = SUBJECTS[name]
    values = {figure.name: figure.value for figure in result.figures}
    for number, (side, colour) in enumerate(COLOURS.items()):
        heights = [values[f"{side}, {subject}, {percent}"] for percent in PERCENTS]
        places = [place + BAR_STEP * number for place in range(len(PERCENTS))]
        bars = axis.bar(places, heights, width=BAR_WIDTH, color=colour, label=side)
        axis.bar_label(bars, fmt="%.0f", fontsize=7, color=INK)

    axis.set_title(f"{name}: {subject}, ms", fontsize=8, color=INK, loc="left")
    axis.set_xticks([0.19, 1.19, 2.19], PERCENTS, fontsize=7)
    axis.tick_params(axis="y", labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)


# -- calls, beside the peers


def _calls(results: Results) -> Any:
    """Draw a column for each kind of call: above how many a second, below how long one takes."""
    grids, _ = parted(results["calls"].figures)
    figure, axes = pyplot.subplots(
        2,
        len(grids),
        figsize=(2.7 * len(grids), 4.2),
        dpi=150,
        sharey=True,
        squeeze=False,
    )
    for number, grid in enumerate(grids):
        place, _, kind = grid.title.partition(", ")
        rates, times = axes[0][number], axes[1][number]
        labels = [f"{rate:,.0f}" for rate in _values(grid, "calls a second")]
        _side_bars(rates, grid, "calls a second", labels=labels)
        rates.set_title(f"{place}\n{kind}\n\ncalls a second", fontsize=7, color=INK, loc="left")

        both = zip(_values(grid, "p50"), _values(grid, "p99"), strict=True)
        labels = [f"{p50:.1f} / {p99:.1f}" for p50, p99 in both]
        _side_bars(times, grid, "p99", labels=labels, pale=True)
        _side_bars(times, grid, "p50")
        times.set_title("p50 / p99, ms", fontsize=7, color=INK, loc="left")
    axes[0][0].invert_yaxis()
    return figure


# -- a new service, beside the peers


def _new(results: Results) -> Any:
    """Draw a column for each table: how long a new service takes on each side."""
    grids, _ = parted(results["new"].figures)
    figure, [axes] = pyplot.subplots(
        1,
        len(grids),
        figsize=(3.6 * len(grids), 2),
        dpi=150,
        sharey=True,
        squeeze=False,
    )
    for axis, grid in zip(axes, grids, strict=True):
        both = zip(_values(grid, "p50"), _values(grid, "p90"), strict=True)
        labels = [f"{p50:.0f} / {p90:.0f}" for p50, p90 in both]
        _side_bars(axis, grid, "p90", labels=labels, pale=True)
        _side_bars(axis, grid, "p50")
        title = f"{grid.title}\np50 / p90, ms"
        axis.set_title(title, fontsize=7, color=INK, loc="left")
    axes[0].invert_yaxis()
    return figure


# -- what both draw


def _side_bars(
    axis: Any,
    grid: Grid,
    column: str,
    *,
    labels: Sequence[str] = (),
    pale: bool = False,
) -> None:
    """Draw a bar for each side."""
    sides = list(grid.cells)
    colours = _colours(sides, pale=pale)
    bars = axis.barh(sides, _values(grid, column), height=0.7, color=colours)
    if labels:
        axis.bar_label(bars, labels, fontsize=6, color=INK, padding=1)

    axis.margins(x=0.3)
    axis.set_xticks([])
    axis.tick_params(axis="y", labelsize=7, length=0)
    axis.spines[["top", "right", "bottom"]].set_visible(False)


def _values(grid: Grid, column: str) -> list[float]:
    return [figures[column].value for figures in grid.cells.values()]


def _colours(sides: Sequence[str], *, pale: bool) -> list[str]:
    ours, others = ("#a8ccff", LIGHT_GREY) if pale else ("#1f6feb", GREY)
    return [ours if side.startswith("Tandem") else others for side in sides]


PICTURES = {
    "start": Picture("bench.png", "Start event to first reply", _starts),
    "calls": Picture("bench-calls.png", "What a call costs through each proxy", _calls),
    "new": Picture("bench-new.png", "A new service until its port answers", _new),
}
