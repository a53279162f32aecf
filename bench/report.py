"""What was measured, as a table, as docs/bench.md and as docs/bench.png."""

import importlib.util
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Figure, say, table

DOCS = Path(__file__).parent.parent / "docs"
ABOUT = {
    "start": "From Docker's start event (its own stamp) to the first reply of that container through HAProxy.",
    "stop": "From the stop signal (the kill event's stamp) to the last request the container received through HAProxy.",
    "rolls": "Three replicas replaced one after the other, under calls that are counted one by one.",
    "kills": "Three replicas replaced one after the other by SIGKILL, under calls that are counted one by one.",
    "reloads": "Services with a port of their own come and go, each a reload of HAProxy under load.",
    "restarts": "Each sidecar killed and stopped under load.",
    "scale": "Records put straight into etcd; docker-discover started on them.",
    "pure": "The steps from a listing to a plan, without I/O.",
    "churn": "Instances come and go, in services that stay.",
    "idle": "Containers run and nothing happens.",
    "switches": "A real instance of a service that has a stub comes and goes, under a client on one connection.",
    "door": "Http services on one port, told apart by host name; calls one after the other on a kept connection.",
}
PREFACE = """# Figures

Written by `make bench`, which measures one part after the other on a real engine, etcd and HAProxy, with the images'
sidecars; no figure is edited by hand. "Bare loop" is [bench/bare.py](../bench/bare.py): event, inspect, etcd put,
watch, runtime API, and nothing that makes it safe; it runs in turn with Tandem, on the same containers. Milliseconds
belong to the machine, ratios travel. Each part can be measured alone, by the command beneath its name.
**✗**: a bound was missed.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bench and what it measured."""

    command: str
    figures: tuple[Figure, ...]
    when: str = ""  # day, time, how long, which images


def load(files: Mapping[str, Path]) -> dict[str, Part]:
    """Return what the newest run of each part left."""
    parts = {}
    for name, path in files.items():
        if path.exists():
            document = json.loads(path.read_text())
            figures = tuple(Figure(**figure) for figure in document["figures"])
            parts[name] = Part(document["command"], figures, _when(document))
    return parts


def text(parts: Mapping[str, Part]) -> str:
    """Return everything as one table for the terminal."""
    rows = [("part", "figure", "measured", "wanted", "")]
    for name, part in parts.items():
        rows += [
            (name, f.name, f"{f.text} {f.unit}".strip(), f.wanted, _mark(f)) for f in part.figures
        ]
    commands = [f"{name}: {part.command}" for name, part in parts.items()]
    return "\n".join([table(rows), "", *commands])


def markdown(parts: Mapping[str, Part], image: bool) -> str:
    """Return the page."""
    lines = [PREFACE, f"Machine: {_machine()}.", ""]
    lines += ["![Start event to first reply](bench.png)", ""] if image else []
    for name, part in parts.items():
        lines += [f"## {name}", "", f"{ABOUT[name]} {part.when}", "", f"    {part.command}", ""]
        lines += ["| | measured | wanted | |", "|---|---|---|---|"]
        lines += [
            f"| {f.name} | {f.text} {f.unit} | {f.wanted} | {_mark(f)} |" for f in part.figures
        ]
        lines.append("")
    return "\n".join(lines)


def write(files: Mapping[str, Path]) -> None:
    """Print the table; write the page, the figures as JSON and the picture."""
    parts = load(files)
    print(text(parts))
    has_picture = importlib.util.find_spec("matplotlib") is not None and "start" in parts
    if has_picture:
        from bench.picture import draw  # noqa: PLC0415  matplotlib is installed by `make bench` alone

        draw(parts, DOCS / "bench.png")
    else:
        say("no picture: it needs matplotlib (make bench installs it) and the part start")
    (DOCS / "bench.md").write_text(markdown(parts, has_picture))
    document = {
        name: {"command": p.command, "figures": [f.as_dict() for f in p.figures]}
        for name, p in parts.items()
    }
    (DOCS / "bench.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    say(f"wrote {DOCS.name}/bench.md, bench.json" + (" and bench.png" if has_picture else ""))


def _when(document: dict[str, Any]) -> str:
    return f"Measured {document['at']} in {document['seconds']} s, images `{document['images']}`."


def _mark(figure: Figure) -> str:
    return {None: "", True: "✓", False: "**✗**"}[figure.good]


def _machine() -> str:
    load_now = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, load {load_now:.1f} at the end"
