"""Types of text: patterns of `catalog/values/rules.py` with the words for them. No I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalog.errors import Rejected
from catalog.values import rules
from catalog.values.value_types import one_of, text_of

_BETWEEN_ITEMS = re.compile(r"[,\s]+")
_COMMA_NOT_ESCAPED = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class Text:
    """Text of one pattern. `right` says what that is, to the writer of a label `right_label`."""

    pattern: re.Pattern[str]
    right: str
    right_label: str = ""
    lower: bool = False
    or_empty: bool = False

    def check(self, name: str, value: Any) -> None:
        if self.or_empty and value == "":
            return
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            raise Rejected(f"{name}: {value!r:.80} is not {self.right}")

    def from_label(self, text: str) -> str:
        spelled = text.lower() if self.lower else text
        if not self.pattern.fullmatch(spelled):
            raise Rejected(f"{text!a:.80} is not {self.right_label or self.right}")
        return spelled

    def from_file(self, value: object) -> str:
        return text_of(value)


SERVICE = Text(rules.SERVICE_NAME, "lower-case letters, digits and -, at most 63")
CONTAINER = Text(rules.CONTAINER_ID, "64 hexadecimal digits")
PRINTABLE = Text(rules.TEXT, "printable text of at most 255 characters")
HOST = Text(rules.HOST_NAME, "a host name, or one with a leading *.", lower=True)
CHECK_HOST = Text(rules.PLAIN_HOST_NAME, "a host name", lower=True, or_empty=True)
CHECK_PATH = Text(rules.CHECK_PATH, "a path such as /health")
PATH = Text(rules.PATH_PREFIX, "a path prefix such as /api")
HASH_HEADER = Text(rules.HEADER_NAME, "a header name", or_empty=True)
CANARY = Text(
    rules.HEADER_IS,
    "a header name",
    right_label="a header name, or name=value",
    or_empty=True,
)
ORIGIN = Text(rules.ORIGIN, "printable ASCII of at most 128 characters", or_empty=True)
STUB_POLICY = Text(
    rules.STUB_POLICY,
    "supersede, fallback, pin or share=N%",
    right_label="supersede, fallback, pin or share=N% with N from 0 to 100",
    lower=True,
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar as ISO 8601 writes it, or nothing; YAML reads one as a date."""

    def check(self, name: str, value: Any) -> None:
        if value != "" and not _is_day(value):
            raise Rejected(f"{name}: {value!r:.80} is not a day such as 2026-06-01")

    def from_label(self, text: str) -> str:
        if not _is_day(text):
            raise Rejected(f"{text!a:.80} is not a day such as 2026-06-01")
        return text

    def from_file(self, value: object) -> str:
        return value.isoformat() if isinstance(value, date) else text_of(value)


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


STUB_UNTIL = Day()


@dataclass(frozen=True, slots=True)
class StatusCodes(Text):
    """Status codes; YAML reads a single one as a number."""

    def from_file(self, value: object) -> str:
        if isinstance(value, int) and 0 <= value <= 999:
            return str(value)
        return text_of(value)


STATUS_CODES = StatusCodes(
    rules.STATUS_CODES, "status codes such as 200 or 200-299,404", or_empty=True
)


@dataclass(frozen=True, slots=True)
class BalanceMethod:
    """One of a few words, or None. People may also write `hash:<header>`.

    A record holds that header in a field of its own, as an older discoverer does not know of it.
    """

    words: tuple[str, ...]

    def check(self, name: str, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, str) or value not in self.words:
            raise Rejected(f"{name}: {value!r:.80} is not one of None, {', '.join(self.words)}")

    def from_label(self, text: str) -> str:
        method, colon, header = text.partition(":")
        if method.lower() == "hash" and rules.HEADER_NAME.fullmatch(header):
            return f"hash:{header}"
        if colon or method.lower() == "hash":
            raise Rejected(f"{text!a:.80} is not hash:<header> with a header name")
        return one_of((*self.words, "hash:<header>"), text)

    def from_file(self, value: object) -> str:
        text = text_of(value)
        method, _, header = text.partition(":")
        if method == "hash":
            _HASHED.check("balance", header)
        return text


_HASHED = Text(rules.HEADER_NAME, "hash:<header> with a header name")


@dataclass(frozen=True, slots=True)
class Texts:
    """Several texts of one type, each once; the services file has a list, or commas."""

    item: Text

    def check(self, name: str, value: Any) -> None:
        check_count(name, len(value))
        for item in value:
            self.item.check(name, item)

    def items(self, text: str) -> tuple[str, ...]:
        """Return the items in a label's text, not yet read."""
        return tuple(item for item in _BETWEEN_ITEMS.split(text) if item)

    def from_label(self, text: str) -> tuple[str, ...]:
        return _each_once(self.item.from_label(item) for item in self.items(text))

    def from_file(self, value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list) else text_of(value).split(",")
        return _each_once(text_of(item).strip() for item in items)


@dataclass(frozen=True, slots=True)
class Tags(Texts):
    r"""Free texts; a comma inside one is written `\,` in a label."""

    item: Text = PRINTABLE

    def check(self, name: str, value: Any) -> None:
        check_count(name, len(value))
        for tag in value:
            self.item.check("tags and attributes", tag)

    def items(self, text: str) -> tuple[str, ...]:
        parts = _COMMA_NOT_ESCAPED.split(text)
        tags = (part.replace("\\,", ",").strip() for part in parts)
        return tuple(tag for tag in tags if tag)


def _each_once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def check_count(name: str, count: int) -> None:
    """Raise Rejected if a record would hold too many items of a kind."""
    if count > rules.ITEMS_MAX:
        raise Rejected(f"{name}: {count} items, at most {rules.ITEMS_MAX} are kept")
