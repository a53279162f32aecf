"""Which metrics the program makes, read from its source: kind and labels of each."""

import ast
from dataclasses import dataclass

from tests.parts.markdown import ROOT

ROOMS = ("register", "discover", "sidecar")
KINDS = ("counter", "gauge", "histogram")
# What a histogram shows besides: a series for each of these.
SERIES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}


@dataclass(frozen=True)
class Metric:
    name: str
    kind: str
    labels: frozenset[str]

    @property
    def series(self) -> set[str]:
        """The names by which it is asked for."""
        return {self.name + ending for ending in SERIES[self.kind]}


def metrics_made() -> dict[str, Metric]:
    """Return every metric by its name."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    found = [_metric(node) for node in nodes if isinstance(node, ast.Call)]
    return {it.name: it for it in found if it is not None}


def label_values() -> set[str]:
    """Return all texts of the program: a label's value is one of them."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text())))
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _metric(call: ast.Call) -> Metric | None:
    kind = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    texts = [it.value if isinstance(it, ast.Constant) else None for it in call.args]
    if kind not in KINDS or len(texts) < 2 or not isinstance(texts[0], str):
        return None

    name = f"tandem_{texts[0]}" + ("_total" if kind == "counter" else "")
    return Metric(name, kind, frozenset(it for it in texts[2:] if isinstance(it, str)))
