"""Alerts and the dashboard ask only for what the program tells; each alert says what helps."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.parts.markdown import ROOT, Page, page
from tests.parts.metrics import Metric, label_values, metrics_made

FOLDER = ROOT / "docs" / "monitoring"
ALERTS = FOLDER / "alerts.yaml"
MADE = metrics_made()
BY_SERIES: dict[str, Metric] = {name: it for it in MADE.values() for name in it.series}
# What Prometheus adds to every series.
EVERYWHERE = {"instance", "job"}
SEVERITIES = {"critical", "warning", "info"}
UNITS = {"_ms", "_milliseconds", "_minutes", "_hours", "_kb", "_mb", "_kilobytes", "_megabytes"}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(ALERTS.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
    return found


def expressions() -> Iterator[str]:
    yield from (str(rule["expr"]) for rule in rules())
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


RULES = rules()
EXPRESSIONS = sorted(set(expressions()))
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
each_expression = pytest.mark.parametrize("expression", EXPRESSIONS)
each_metric = pytest.mark.parametrize("metric", MADE.values(), ids=lambda metric: metric.name)


def labels_asked(selector: str) -> list[tuple[str, str, str]]:
    """Return label, operator and value of each matcher in a selector."""
    return re.findall(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"", selector)


@each_expression
def test_every_series_exists(expression: str) -> None:
    series = set(re.findall(r"\btandem_\w+", expression))

    assert series or "up{" in expression
    assert series <= BY_SERIES.keys()


@each_expression
def test_every_label_exists_and_may_have_that_value(expression: str) -> None:
    texts = label_values()
    for name, selector in re.findall(r"\b(tandem_\w+|up){([^}]*)}", expression):
        labels = BY_SERIES[name].labels if name in BY_SERIES else frozenset[str]()
        for label, _operator, value in labels_asked(selector):
            assert label in labels | EVERYWHERE, f"{name} has no label {label}"
            if label not in EVERYWHERE:
                assert set(value.split("|")) <= texts, f"{name} is never {label}={value}"


@each_expression
def test_every_grouping_is_by_labels_that_are_there(expression: str) -> None:
    series = re.findall(r"\btandem_\w+", expression)
    labels = frozenset[str]().union(*(BY_SERIES[name].labels for name in series)) | EVERYWHERE
    if any(name.endswith("_bucket") for name in series):
        labels |= {"le"}

    for grouped in re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= labels


@each_expression
def test_counters_are_asked_for_their_rate(expression: str) -> None:
    for name, metric in BY_SERIES.items():
        if metric.kind != "gauge" and re.search(rf"\b{name}\b", expression):
            assert re.search(rf"(rate|increase)\({name}\b[^)]*\[[^\]]+\]\)", expression), name


@each_rule
def test_every_alert_says_what_helps(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]

    assert rule["labels"]["severity"] in SEVERITIES
    assert notes.keys() == {"summary", "description", "helps", "docs"}
    assert all(text.strip() for text in notes.values())
    name, _, anchor = notes["docs"].partition("#")
    assert (ROOT / "docs" / name).exists()
    assert not anchor or anchor in Page(ROOT / "docs" / name).anchors


@each_rule
def test_every_label_in_a_summary_is_left_by_the_expression(rule: dict[str, Any]) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    grouped = re.findall(r"\bby\s*\(([^)]*)\)", rule["expr"])
    series = re.findall(r"\btandem_\w+", rule["expr"])
    left = set(re.findall(r"\w+", " ".join(grouped))) or EVERYWHERE.union(
        *(BY_SERIES[name].labels for name in series)
    )

    assert used <= left


def test_every_alert_has_its_row_and_no_other() -> None:
    rows = page("metrics.md").table("| alert |")
    assert [row[0].strip("`") for row in rows] == [rule["alert"] for rule in RULES]


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(EXPRESSIONS)
    told_elsewhere = {
        "tandem_register_last_success_timestamp_seconds",
        "tandem_discover_journal_lost_lines_total",
    }
    missing = {
        metric.name
        for metric in MADE.values()
        if not any(re.search(rf"\b{name}\b", shown) for name in metric.series)
    }
    assert missing - told_elsewhere == set()


def test_panels_have_a_place_of_their_own_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells

    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


@each_metric
def test_names_follow_prometheus_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"tandem_(register|discover)_[a-z0-9_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not any(metric.name.endswith(unit) for unit in UNITS)
    assert not metric.name.endswith(("_bucket", "_count", "_sum"))
    if metric.kind == "histogram":
        assert metric.name.endswith(("_seconds", "_bytes"))
