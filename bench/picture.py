"""The picture for the README: start event to first reply, Tandem beside the bare loop. The only user of matplotlib."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from bench.report import Part

mpl.use("Agg")  # no screen

INK, TANDEM, BARE = "#333333", "#1f6feb", "#9aa4b2"
KINDS = ("event to first reply", "signal to last request")
PERCENTS = ("p50", "p90", "p99")


def draw(parts: Mapping[str, Part], path: Path) -> None:
    """Write the picture."""
    shown = [
        (kind, part) for kind, part in zip(KINDS, ("start", "stop"), strict=True) if part in parts
    ]
    figure, axes = pyplot.subplots(
        1, len(shown), figsize=(3.6 * len(shown), 2.4), dpi=150, squeeze=False
    )
    for axis, (kind, part) in zip(axes[0], shown, strict=True):
        values = {each.name: each.value for each in parts[part].figures}
        for offset, (name, colour) in enumerate((("Tandem", TANDEM), ("bare loop", BARE))):
            heights = [values[f"{name}, {kind}, {percent}"] for percent in PERCENTS]
            places = [place + 0.38 * offset for place in range(len(PERCENTS))]
            bars = axis.bar(places, heights, width=0.36, color=colour, label=name)
            axis.bar_label(bars, fmt="%.0f", fontsize=7, color=INK)
        axis.set_title(f"{part}: {kind}, ms", fontsize=8, color=INK, loc="left")
        axis.set_xticks([0.19, 1.19, 2.19], PERCENTS, fontsize=7)
        axis.tick_params(axis="y", labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(fontsize=7, frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
