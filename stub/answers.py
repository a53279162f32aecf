"""The answers of a stub as plain data, and the choice of one for a request. No I/O."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PLACEHOLDER = re.compile(r"\{[^/{}]*\}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
LONGEST_S = 3600.0  # a longer delay is most likely a mistaken unit

Headers = tuple[tuple[str, str], ...]


class Invalid(Exception):
    """A file, or a part of it, that cannot be served: where, what was seen, what would be right."""


# What Python raises for a value of the wrong kind, such as a minimum that is a list: documents are
# not checked against a schema, they are checked by using them.
WRONG_KIND = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


def reason_of(error: Exception) -> str:
    """Return in one line why something cannot be served."""
    text = str(error) if isinstance(error, Invalid) else f"a value of the wrong type: {error}"
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Answer:
    """One canned answer.

    `statuses` holds one status, or all that OpenAPI's `5XX` or `default` stands for.
    """

    statuses: range
    body: bytes
    headers: Headers = ()
    delay_s: float = 0.0
    source: str = ""  # the file it comes from
    example: str = ""  # its name, where one status has several

    @property
    def status(self) -> int:
        """The status when the caller asks for none."""
        return 200 if 200 in self.statuses else self.statuses.start


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer with its method and path; {…} in the path stands for any one word."""

    method: str
    template: str
    answer: Answer
    alias: bool = False  # another spelling of a path that is listed already


@dataclass(frozen=True, slots=True)
class Path:
    """All answers of one path, by method."""

    template: str
    answers: Mapping[str, tuple[Answer, ...]]
    alias: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All paths of a stub, in the order in which they are tried, and the problems of the rest."""

    paths: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()


def table_of(entries: Iterable[Entry], problems: Iterable[str] = ()) -> Table:
    """Return the table; of two entries for the same path and method, the first counts."""
    by_shape: dict[str, list[Entry]] = {}
    for entry in entries:
        shape = PLACEHOLDER.sub("{}", entry.template)
        by_shape.setdefault(shape, []).append(entry)

    paths = [_path(same_shape) for same_shape in by_shape.values()]
    paths.sort(key=_exact_first)
    return Table(tuple(paths), tuple(problems))


def _path(entries: Sequence[Entry]) -> Path:
    by_method: dict[str, list[Answer]] = {}
    for entry in entries:
        by_method.setdefault(entry.method, []).append(entry.answer)

    return Path(
        template=entries[0].template,
        answers={method: tuple(answers) for method, answers in by_method.items()},
        alias=all(entry.alias for entry in entries),
    )


def _exact_first(path: Path) -> list[tuple[bool, int, str]]:
    """Sort /orders/new before /orders/{id}.json before /orders/{id}."""
    if path.template == "/":
        return []

    words = path.template.strip("/").split("/")
    return [_rank(word) for word in words]


def _rank(word: str) -> tuple[bool, int, str]:
    if "{" not in word:
        return False, 0, word

    fixed = PLACEHOLDER.sub("", word)
    return True, -len(fixed), word


def choose(
    answers: Sequence[Answer],
    status: int | None = None,
    example: str = "",
) -> tuple[int, Answer | None]:
    """Return the status and the answer that was asked for, or the first 2xx.

    The answer is None where there is no such one.
    """
    named = [answer for answer in answers if not example or answer.example == example]
    if status is not None:
        fitting = [answer for answer in named if status in answer.statuses]
        return status, min(fitting, key=_width, default=None)

    good = [answer for answer in named if 200 <= answer.status < 300]
    chosen = min(good or named, key=_width, default=None)
    if chosen is None:
        return 404, None

    return chosen.status, chosen


def _width(answer: Answer) -> int:
    return len(answer.statuses)


def lines_of(table: Table) -> list[str]:
    """Return one line for each path and method, with the status codes."""
    return [
        f"{method} {path.template} {_codes(answers)}"
        for path in table.paths
        if not path.alias
        for method, answers in path.answers.items()
    ]


def _codes(answers: Sequence[Answer]) -> str:
    codes = {_code(answer.statuses) for answer in answers}
    return " ".join(sorted(codes))


def _code(statuses: range) -> str:
    match len(statuses):
        case 1:
            return str(statuses.start)
        case 100:
            return f"{statuses.start // 100}XX"
        case _:
            return "default"


def status_of(value: object) -> int:
    """Return a status code; raises Invalid."""
    text = str(value)
    if not (text.isdigit() and 200 <= int(text) <= 599):
        raise Invalid(f"{value!r} is not a status; use a number from 200 to 599")

    return int(text)


def duration_s(value: object) -> float:
    """Return a duration such as 500ms, 2s or 0.5 (seconds); raises Invalid."""
    found = _DURATION.fullmatch(str(value))
    if found:
        number, unit = found.groups(default="s")
        seconds = float(number) * _UNITS_S[unit]
        if seconds <= LONGEST_S:
            return seconds

    raise Invalid(f"{value!r} is not a duration up to an hour, such as 500ms, 2s or 1m")
