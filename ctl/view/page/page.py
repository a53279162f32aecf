"""A page: what is wrong first, then sections of rows; as text, or as one document. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ctl.view.chain import Step
from ctl.view.table import table_of

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title; people see these columns of `shown`, or of all rows if that is None.

    `empty` is said without any row.
    """

    name: str  # in the document
    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    empty: str = ""
    shown: Sequence[Row] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """All that is known of one thing; `said` is one line, `facts` are for programs."""

    kind: str  # service, instance or host
    what: str
    said: str
    problems: tuple[Step, ...] = ()
    sections: tuple[Section, ...] = ()
    facts: Row = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """Return the whole page for programs."""
        return {
            "kind": self.kind,
            "what": self.what,
            "said": self.said,
            **self.facts,
            "problems": [asdict(step) for step in self.problems],
            **{section.name: list(section.rows) for section in self.sections},
        }


def lines_of(page: Page) -> Iterator[str]:
    """Yield the page as text."""
    yield f"{page.kind} {page.what}: {page.said}"
    width = max((len(step.host) for step in page.problems), default=0)
    for step in page.problems:
        code = f"{step.code}  " if step.code else ""
        yield f"{step.mark} {step.host.ljust(width)}  {code}{step.text}"
        if step.help:
            yield f"  {' ' * width}    helps: {step.help}"

    for section in page.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    rows = section.rows if section.shown is None else section.shown
    if not rows and not section.empty:
        return

    yield ""
    yield section.title
    lines = table_of(rows, section.columns) if rows else (section.empty,)
    for line in lines:
        yield f"  {line}"
