"""What a stub can answer: paths, methods and answers as plain data, and which one a request gets. No I/O."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PLACEHOLDER = re.compile(r"\{[^/{}]*\}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
LONGEST_S = 3600.0  # who asks for more has most likely mistaken the unit


class Bad(Exception):
    """A file, or a part of it, that cannot be served: where, what was seen, and what would be right."""


# What Python says of a value of the wrong kind, such as a minimum that is a list: a document is checked by using it.
ODD = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)


def said(error: Exception) -> str:
    """Return one line of why something cannot be served."""
    text = (
        str(error)
        if isinstance(error, Bad)
        else f"a value of a kind that does not belong there: {error}"
    )
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Answer:
    """One canned answer. `statuses` are those it can be given with: one, or all that OpenAPI's 5XX or default means."""

    statuses: range
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    source: str = ""  # the file it comes from
    example: str = ""  # its name, where there are several of one status

    @property
    def status(self) -> int:
        """The status it has when nobody asks for another."""
        return 200 if 200 in self.statuses else self.statuses.start


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer and what asks for it: a method, and a path in which {…} stands for any one word."""

    method: str
    template: str
    answer: Answer
    alias: bool = False  # another spelling of a path that is listed


@dataclass(frozen=True, slots=True)
class Path:
    """All answers of one path, by method."""

    template: str
    answers: Mapping[str, tuple[Answer, ...]]
    alias: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All that a stub has, in the order in which paths are tried, and what is wrong with the rest."""

    paths: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()


def table_of(entries: Iterable[Entry], problems: Iterable[str] = ()) -> Table:
    """Return the table; of two entries for the same, the first counts."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(_PLACEHOLDER.sub("{}", entry.template), []).append(entry)
    paths = [_path(same) for same in found.values()]
    return Table(tuple(sorted(paths, key=_exact_first)), tuple(problems))


def _path(entries: Sequence[Entry]) -> Path:
    methods: dict[str, tuple[Answer, ...]] = {}
    for entry in entries:
        methods[entry.method] = (*methods.get(entry.method, ()), entry.answer)
    return Path(entries[0].template, methods, all(entry.alias for entry in entries))


def _exact_first(path: Path) -> list[tuple[bool, int, str]]:
    """Sort /orders/new before /orders/{id}.json before /orders/{id}."""
    words = path.template.strip("/").split("/") if path.template != "/" else []
    return [
        ("{" in word, -len(_PLACEHOLDER.sub("", word)) if "{" in word else 0, word)
        for word in words
    ]


def choose(
    answers: Sequence[Answer], status: int | None = None, example: str = ""
) -> tuple[int, Answer | None]:
    """Return what is answered: the first 2xx, or what was asked for; None where there is no such answer."""
    named = [answer for answer in answers if not example or answer.example == example]
    if status is not None:
        fitting = [answer for answer in named if status in answer.statuses]
        return status, min(fitting, key=lambda answer: len(answer.statuses), default=None)
    good = [answer for answer in named if 200 <= answer.status < 300]
    exact = sorted(good or named, key=lambda answer: len(answer.statuses))
    return (exact[0].status, exact[0]) if exact else (404, None)


def lines_of(table: Table) -> list[str]:
    """Return what a stub has, one line for each path and method, with the status codes."""
    return [
        f"{method} {path.template} {' '.join(sorted({_statuses(answer.statuses) for answer in answers}))}"
        for path in table.paths
        if not path.alias
        for method, answers in path.answers.items()
    ]


def _statuses(statuses: range) -> str:
    if len(statuses) == 1:
        return str(statuses.start)
    return f"{statuses.start // 100}XX" if len(statuses) == 100 else "default"


def status_of(value: object) -> int:
    """Return a status code; raises Bad."""
    text = str(value)
    if not (text.isdigit() and 200 <= int(text) <= 599):
        raise Bad(f"{value!r} is no status; a number from 200 to 599 is")
    return int(text)


def duration_s(value: object) -> float:
    """Return how long, such as 500ms, 2s or 0.5 (seconds); raises Bad."""
    found = _DURATION.fullmatch(str(value))
    seconds = float(found[1]) * _UNITS_S[found[2] or "s"] if found else LONGEST_S + 1
    if seconds > LONGEST_S:
        raise Bad(f"{value!r} is no duration up to an hour; 500ms, 2s and 1m are")
    return seconds
