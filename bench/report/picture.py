"""Draw the README's picture: start event to first reply, Tandem beside the bare loop.

The only user of matplotlib.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from bench.report.page import Result

mpl.use("Agg")  # no screen

INK = "#333333"
COLOURS = {"Tandem": "#1f6feb", "bare loop": "#9aa4b2"}
SUBJECTS = {"start": "event to first reply", "stop": "signal to last request"}
PERCENTS = ("p50", "p90", "p99")
BAR_STEP = 0.38
BAR_WIDTH = 0.36


def draw(results: Mapping[str, Result], path: Path) -> None:
    """Write the picture."""
    shown = [name for name in SUBJECTS if name in results]
    figure, [axes] = pyplot.subplots(
        1,
        len(shown),
        figsize=(3.6 * len(shown), 2.4),
        dpi=150,
        squeeze=False,
    )
    for axis, name in zip(axes, shown, strict=True):
        _draw(axis, name, results[name])

    axes[0].legend(fontsize=7, frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _draw(axis: Any, name: str, result: Result) -> None:
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
