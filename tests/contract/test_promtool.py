"""Prometheus takes the alert rules, and what the dashboard asks."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.parts.markdown import ROOT

FOLDER = ROOT / "docs" / "monitoring"


def expressions(part: Any) -> Iterator[str]:
    """Yield what the dashboard asks Prometheus, but for lists of label values."""
    if isinstance(part, list):
        for each in part:
            yield from expressions(each)
    elif isinstance(part, dict):
        for name, each in part.items():
            if name == "expr":
                yield str(each)
            else:
                yield from expressions(each)


def check_rules(path: Path) -> None:
    command = ["promtool", "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    check_rules(FOLDER / "alerts.yaml")


def test_prometheus_takes_what_the_dashboard_asks(tmp_path: Path) -> None:
    dashboard = json.loads((FOLDER / "grafana.json").read_text())
    asked = [it.replace("$__rate_interval", "5m") for it in expressions(dashboard)]
    assert asked
    rules = [{"record": f"panel:{number}", "expr": it} for number, it in enumerate(asked)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    check_rules(path)
