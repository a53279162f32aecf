"""Write the results as tables, as docs/bench.md, docs/bench.json and pictures."""

import importlib.util
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report.figures import Figure, say
from bench.report.grid import Grid, parted

DOCS = Path(__file__).parents[2] / "docs"
ABOUT = {
    "start": (
        "From Docker's start event (its own stamp) to the first reply of that container "
        "through HAProxy."
    ),
    "stop": (
        "From the stop signal (the kill event's stamp) to the last request the container received "
        "through HAProxy."
    ),
    "rolls": (
        "Three replicas replaced one after the other, under calls that are counted one by one."
    ),
    "kills": (
        "Three replicas replaced one after the other by SIGKILL, under calls that are counted one "
        "by one."
    ),
    "reloads": (
        "Services with a port of their own come and go, each a reload of HAProxy under load."
    ),
    "restarts": "Each sidecar killed and stopped under load.",
    "scale": "Records put straight into etcd; docker-discover started on them.",
    "pure": "The steps from a listing to a plan, without I/O.",
    "churn": "Instances come and go, in services that stay.",
    "idle": "Containers run and nothing happens.",
    "switches": (
        "A real instance of a service that has a stub comes and goes, under a client on one "
        "connection."
    ),
    "door": (
        "Http services on one port, told apart by host name; calls one after the other on a kept "
        "connection."
    ),
    "calls": (
        "Calls without a pause, by wrk and h2load, through one proxy after the other in short "
        "turns. All call the same nginx, have as many threads as the machine has CPUs, and are "
        "in one control group. Tandem and HAProxy are one program of one image. Medians of the "
        "rounds; CPU a call is that of the proxy's processes. Between two hosts each packet "
        "takes 0.5 ms: bench/peers/wire.py passes it on, for kernels without netem."
    ),
    "new": (
        "From telling a proxy of a service until that service's port, where nobody listened "
        "before, answers. The sides take turns, and one loop watches them all. Each has 20 "
        "services at first, and keeps those that come. The peers begin with a finished file: "
        "HAProxy and nginx read it after a signal, Caddy gets it by a request. Tandem begins "
        "earlier, with one record in etcd, which every host reads: it has to write its file and "
        "check it. Nobody checks the file of HAProxy by hand. That HAProxy reads the system's "
        "certificates at each reload, as it does by default; Tandem's template spares that. "
        "Containers that start are in [start](#start)."
    ),
}
# The page's own lines are wider than the code's.
PREFACE = (
    "# Figures\n"
    "\n"
    "Written by `make bench`, which measures one part after the other on a real engine, etcd and "
    "HAProxy, with the images'\n"
    'sidecars; no figure is edited by hand. "Bare loop" is [bench/bare.py](../bench/bare.py): '
    "event, inspect, etcd put,\n"
    "watch, runtime API, and nothing that makes it safe; it runs in turn with Tandem, on the same "
    "containers. Milliseconds\n"
    "belong to the machine, ratios travel. Each part can be measured alone, by the command beneath "
    "its name.\n"
    "**✗**: a bound was missed.\n"
)


Documents = dict[str, dict[str, Any]]  # by part: what python -m bench keeps of a measurement


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one measurement, and the command that measures them again."""

    command: str
    figures: tuple[Figure, ...]
    when: str = ""  # day, time, duration, images, machine


def load(files: Mapping[str, Path]) -> Documents:
    """Return the newest measurement of each part; the page's own of those not measured here."""
    known: Documents = json.loads((DOCS / "bench.json").read_text())
    documents = {}
    for name, path in files.items():
        if path.exists():
            documents[name] = json.loads(path.read_text())
        elif name in known:
            documents[name] = known[name]
    return documents


def result_of(document: Mapping[str, Any]) -> Result:
    """Return what a measurement's document says."""
    figures = [Figure(**figure) for figure in document["figures"]]
    at, seconds, images = document["at"], document["seconds"], document["images"]
    when = f"Measured {at} in {seconds} s, images `{images}`, on {document['machine']}."
    return Result(document["command"], tuple(figures), when)


def text(results: Mapping[str, Result]) -> str:
    """Return everything as tables for the terminal."""
    blocks = []
    rows = [("part", "figure", "measured", "wanted", "")]
    for name, result in results.items():
        grids, single = parted(result.figures)
        for grid in grids:
            blocks += [_table(grid.rows()), ""]
        for figure in single:
            measured = f"{figure.text} {figure.unit}".strip()
            rows.append((name, figure.name, measured, figure.wanted, _mark(figure)))

    commands = [f"{name}: {result.command}" for name, result in results.items()]
    return "\n".join([*blocks, _table(rows), "", *commands])


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text in columns; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = [_padded(row, widths) for row in rows]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([head, rule, *body])


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def markdown(results: Mapping[str, Result], pictures: Mapping[str, str]) -> str:
    """Return the page, with the picture of each part that has one."""
    lines = [PREFACE]
    for name, result in results.items():
        lines += [f"## {name}", ""]
        lines += [f"{ABOUT[name]} {result.when}", ""]
        lines += [f"    {result.command}", ""]
        if name in pictures:
            lines += [pictures[name], ""]

        grids, single = parted(result.figures)
        for grid in grids:
            lines += [*_markdown_grid(grid), ""]

        lines += ["| | measured | wanted | |", "|---|---|---|---|"]
        lines += [_markdown_row(figure) for figure in single]
        lines.append("")
    return "\n".join(lines)


def _markdown_grid(grid: Grid) -> list[str]:
    head, *body = grid.rows()
    rule = "|---" * len(head) + "|"
    return [_bars(head), rule, *map(_bars, body)]


def _bars(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_row(figure: Figure) -> str:
    measured = f"{figure.text} {figure.unit}"
    return f"| {figure.name} | {measured} | {figure.wanted} | {_mark(figure)} |"


def write(files: Mapping[str, Path]) -> None:
    """Print the tables; write the page, the figures as JSON and the pictures."""
    documents = load(files)
    results = {name: result_of(document) for name, document in documents.items()}
    print(text(results))

    pictures: dict[str, str] = {}
    if importlib.util.find_spec("matplotlib") is not None:
        # Only `make bench` installs matplotlib.
        from bench.report.picture import draw_all  # noqa: PLC0415

        pictures = draw_all(results, DOCS)
    else:
        say("no pictures: they need matplotlib, which make bench installs")

    page = markdown(results, pictures)
    (DOCS / "bench.md").write_text(page)
    kept = json.dumps(documents, indent=1, ensure_ascii=False)
    (DOCS / "bench.json").write_text(kept + "\n")
    say(f"wrote {DOCS.name}/bench.md, bench.json and {len(pictures)} pictures")


def _mark(figure: Figure) -> str:
    marks = {None: "", True: "✓", False: "**✗**"}
    return marks[figure.good]


def machine() -> str:
    """Return what figures belong to."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"
