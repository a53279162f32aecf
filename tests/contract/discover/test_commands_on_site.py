"""--check, --render and --diff with a site's own template and snippets: refused with the file and
line they are in.
"""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from tests.parts.discover import discover_command
from tests.parts.records import entry, instance

EXTENDS = '{% extends "haproxy.cfg.j2" %}\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "snippets.d").mkdir()
    (tmp_path / "site.j2").write_text(EXTENDS)
    return tmp_path


def flags(site: Path) -> tuple[str, ...]:
    return ("--template", str(site / "site.j2"), "--state-dir", str(site))


@pytest.mark.parametrize(
    ("template", "snippet", "why"),
    [
        (
            "{% block defaults %}\n{% include 'no.j2' %}{% endblock %}",
            "",
            "template site.j2 line 3: there is no 'no.j2' ",
        ),
        (
            "",
            "option nolinger\n\n  nonsense x\n",
            "HAProxy refuses snippet web.cfg line 3: unknown keyword 'nonsense'",
        ),
        ("", "listen other\n", "snippet web.cfg line 1: 'listen' would begin a new section"),
    ],
)
def test_what_a_site_wrote_is_refused_where_it_stands(
    site: Path, template: str, snippet: str, why: str
) -> None:
    (site / "site.j2").write_text(EXTENDS + template)
    (site / "snippets.d" / "web.cfg").write_text(snippet)

    done = discover_command("--check", *flags(site))

    assert done.returncode == 1
    assert done.stderr.startswith(f"docker-discover: --check: {why}")
    assert done.stderr.count("\n") == 1


def test_what_a_site_wrote_is_shown(site: Path) -> None:
    (site / "site.j2").write_text(
        EXTENDS + "{% block defaults %}{{ super() }}    timeout connect 2s{% endblock %}"
    )
    (site / "snippets.d" / "web.cfg").write_text("option nolinger\n")
    it = entry(instance(1, "web", address="192.0.2.1", service_port=8000))
    texts = {"key": b64encode(it.key.encode()).decode(), "value": b64encode(it.value).decode()}
    catalog = {
        "header": {"revision": 7},
        "kvs": [{**texts, "create_revision": 6, "mod_revision": 7}],
    }
    (site / "catalog.json").write_text(json.dumps(catalog))

    checked = discover_command("--check", *flags(site))
    shown = [
        discover_command(command, *flags(site), "--catalog", str(site / "catalog.json"))
        for command in ("--render", "--diff")
    ]
    (site / "snippets.d" / "web:8000.cfg").write_text("nonsense\n")
    refused = discover_command("--render", *flags(site), "--catalog", str(site / "catalog.json"))

    assert checked.stdout == f"{site}/site.j2: good\n{site}/snippets.d: good\n"
    for done in shown:
        assert done.returncode == 0
        assert "    timeout connect 2s\n" in done.stdout
        assert "    option nolinger\n" in done.stdout
    assert refused.returncode == 1
    assert refused.stderr.endswith(
        "HAProxy refuses snippet web:8000.cfg line 1: unknown keyword 'nonsense' in 'listen' "
        "section\n"
    )
