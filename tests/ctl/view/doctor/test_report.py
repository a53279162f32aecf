"""A report: marks first, the worst first, and a last line that scripts can read."""

import re
from pathlib import Path

import pytest

from ctl.line.colour import plain
from ctl.view.doctor.finding import Finding, Group, Report, document_of, lines_of, listed
from tests.parts.markdown import ROOT, Page

OK = Finding("ok", "fine")
WARN = Finding("warn", "hm", "do it", "operations.md#upgrade-a-sidecar")
ERROR = Finding("error", "no")


def report(*findings: Finding) -> Report:
    return Report((Group("hosts", findings),))


def test_lines() -> None:
    assert list(lines_of(report(OK, WARN, ERROR))) == [
        "hosts",
        " ✗ no",
        " ‼ hm",
        "     helps: do it",
        "     docs/operations.md#upgrade-a-sidecar",
        " ✓ fine",
        "Status: 1 error, 1 warning",
    ]


def test_lines_without_utf8_are_ascii() -> None:
    lines = [plain(line) for line in lines_of(report(OK, WARN, ERROR))]
    assert [line[1] for line in lines if line[:1] == " " and line[1] != " "] == ["!", "~", "+"]
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ((OK,), "Status: all is well"),
        ((), "Status: all is well"),
        ((ERROR, ERROR), "Status: 2 errors"),
        ((WARN,), "Status: 1 warning"),
        ((ERROR, WARN, WARN), "Status: 1 error, 2 warnings"),
    ],
)
def test_the_last_line(findings: tuple[Finding, ...], status: str) -> None:
    assert report(*findings).status == status


@pytest.mark.parametrize(
    ("finding", "fail_on", "fails"),
    [
        (OK, "warn", False),
        (WARN, "error", False),
        (WARN, "warn", True),
        (ERROR, "error", True),
        (ERROR, "warn", True),
    ],
)
def test_what_fails(finding: Finding, fail_on: str, fails: bool) -> None:
    assert report(finding).fails(fail_on) is fails


def test_the_document_says_the_same() -> None:
    document = document_of(report(OK, WARN))
    assert (document["errors"], document["warnings"]) == (0, 1)
    assert [(it["group"], it["level"]) for it in document["findings"]] == [
        ("hosts", "ok"),
        ("hosts", "warn"),
    ]


def test_many_names_are_cut() -> None:
    assert listed(list("abc"), 2) == "a, b and 1 more"
    assert listed(list("ab"), 2) == "a, b"


def test_every_page_that_is_named_has_that_heading() -> None:
    rooms = [*Path(ROOT / "ctl" / "view" / "doctor").glob("*.py")]
    named = {it for path in rooms for it in re.findall(r'"(\w+\.md#[\w-]+)"', path.read_text())}

    assert len(named) > 8
    lost = {it for it in named if it.partition("#")[2] not in _anchors(it.partition("#")[0])}
    assert lost == set()


def _anchors(page: str) -> set[str]:
    return set(Page(ROOT / "docs" / page).anchors)
