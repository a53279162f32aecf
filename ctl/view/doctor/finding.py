"""Findings, their groups, and how a report of them ends. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "error"]
MARKS: Mapping[Level, str] = {"ok": "✓", "warn": "‼", "error": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what is seen, what helps, and where the documents tell of it.

    `docs` is a page and its heading, such as `operations.md#upgrade-a-sidecar`.
    """

    level: Level
    text: str
    helps: str = ""
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Findings about one subject."""

    name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All groups, in the order of looking."""

    groups: tuple[Group, ...]

    def count(self, level: Level) -> int:
        """Return how many findings have a level."""
        return sum(it.level == level for group in self.groups for it in group.findings)

    def fails(self, fail_on: str) -> bool:
        """Whether anything is as bad as this, or worse."""
        return bool(self.count("error") or (fail_on == "warn" and self.count("warn")))

    @property
    def status(self) -> str:
        """The last line."""
        errors, warnings = self.count("error"), self.count("warn")
        parts = [_counted(errors, "error"), _counted(warnings, "warning")]
        return "Status: " + (", ".join(filter(None, parts)) or "all is well")


def lines_of(report: Report) -> Iterator[str]:
    """Yield the lines of a report; those of a group have the worst first."""
    order: Sequence[Level] = ("error", "warn", "ok")
    for group in report.groups:
        yield group.name
        for it in sorted(group.findings, key=lambda it: order.index(it.level)):
            yield f" {MARKS[it.level]} {it.text}"
            if it.helps:
                yield f"     helps: {it.helps}"
            if it.docs:
                yield f"     docs/{it.docs}"
    yield report.status


def document_of(report: Report) -> Mapping[str, Any]:
    """Return a report, ready for JSON."""
    return {
        "errors": report.count("error"),
        "warnings": report.count("warn"),
        "findings": [
            {"group": group.name, **asdict(it)} for group in report.groups for it in group.findings
        ],
    }


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return some of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
