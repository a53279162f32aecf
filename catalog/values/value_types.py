"""Types of value: what a record may hold, and how a label and the services file write it. No I/O.

A field of a record names one of these types. `check` refuses a value that a record must not hold.
`from_label` reads the text of a label, `from_file` a value of the services file; what
`check` refuses anyway, `from_file` may let pass. All three raise Rejected and say what was right.
"""

import re
from dataclasses import dataclass
from typing import Any, Protocol

from catalog.errors import Rejected
from catalog.values.rules import DURATION_MS_MAX, PORT_MAX
from catalog.values.secrets import masked

_DIGITS = re.compile(r"[0-9]{1,9}")
# As Go's time.ParseDuration reads them, without a sign; bounds keep the arithmetic small.
_DURATION_PART = re.compile(
    r"(?P<count>[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?P<unit>ns|us|µs|μs|ms|s|m|h)"
)
_DURATION = re.compile(rf"(?:{re.sub(r'[?]P<[a-z]+>', '?:', _DURATION_PART.pattern)}){{1,8}}")
_UNIT_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,  # the two micro signs of Unicode
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_NS_OF_MS = 1_000_000


class ValueType(Protocol):
    """What all types of value can do."""

    def check(self, name: str, value: Any) -> None:
        """Raise Rejected unless a record may hold this value; `name` is its field."""

    def from_label(self, text: str) -> Any:
        """Return the value that a label's text stands for."""

    def from_file(self, value: object) -> Any:
        """Return the value that a value of the services file, as YAML gives it, stands for."""


def shown(value: object) -> str:
    """Return a value as messages show it; never a whole list, which aliases can make endless."""
    if value is None:
        return "nothing"
    if isinstance(value, list | dict | set | tuple):
        return f"a {type(value).__name__} of {len(value)}"

    try:
        return f"{masked(repr(value)):.80}"
    except ValueError:
        # Python prints no number of more than 4300 digits, but YAML reads one, written as 0xfff…
        return f"a {type(value).__name__}"


def text_of(value: object) -> str:
    """Return a value of the services file that must be text."""
    if not isinstance(value, str):
        raise Rejected(f"{shown(value)} is not a string; put it in quotes")
    return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int

    def check(self, name: str, value: Any) -> None:
        if not self._holds(value):
            raise Rejected(f"{name}: {value!r:.80} is not {self._right}")

    def from_label(self, text: str) -> int:
        if not _DIGITS.fullmatch(text) or not self._holds(int(text)):
            raise Rejected(f"{text!a:.80} is not {self._right}")
        return int(text)

    def from_file(self, value: object) -> Any:
        if not self._holds(value):
            raise Rejected(f"{shown(value)} is not {self._right}")
        return value

    def _holds(self, value: object) -> bool:
        # bool is an int to Python, but true is no port
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        )

    @property
    def _right(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


PORT = Whole(1, PORT_MAX)


@dataclass(frozen=True, slots=True)
class ServicePort:
    """The port that callers dial. None, written `auto`, has one claimed from PORT_RANGE."""

    def check(self, name: str, value: Any) -> None:
        if value is not None:
            PORT.check(name, value)

    def from_label(self, text: str) -> int | None:
        if text.lower() == "auto":
            return None

        try:
            return PORT.from_label(text)
        except Rejected as error:
            raise Rejected(f"{error}, or auto") from error

    def from_file(self, value: object) -> Any:
        return None if value == "auto" else PORT.from_file(value)


@dataclass(frozen=True, slots=True)
class Duration:
    """Milliseconds, written as Go writes durations: `500ms`, `1.5s`, `1m30s`."""

    low_ms: int

    def check(self, name: str, value: Any) -> None:
        Whole(self.low_ms, DURATION_MS_MAX).check(name, value)

    def from_label(self, text: str) -> int:
        value_ms = 0
        if _DURATION.fullmatch(text):
            parts = _DURATION_PART.finditer(text)
            total = sum(_billionths(m["count"]) * _UNIT_NS[m["unit"]] for m in parts)
            value_ms = total // (10**9 * _NS_OF_MS)

        if not self.low_ms <= value_ms <= DURATION_MS_MAX:
            right = f"a duration such as 500ms, 2s or 1m, from {self.low_ms}ms to 24h"
            raise Rejected(f"{text!a:.80} is not {right}")
        return value_ms

    def from_file(self, value: object) -> int:
        text = value if isinstance(value, str) else shown(value)
        return self.from_label(text)


def _billionths(count: str) -> int:
    """Return `1.5` as a whole number, exactly, and also `1.` and `.5`, which Go takes."""
    whole, _, part = count.partition(".")
    return int(f"{whole}{part:0<9}")


@dataclass(frozen=True, slots=True)
class OrNone:
    """A value of another type, or None, which leaves the choice to docker-discover."""

    type: ValueType

    def check(self, name: str, value: Any) -> None:
        if value is not None:
            self.type.check(name, value)

    def from_label(self, text: str) -> Any:
        return self.type.from_label(text)

    def from_file(self, value: object) -> Any:
        return self.type.from_file(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise Rejected(f"{name}: {value!r:.80} is not true or false")

    def from_label(self, text: str) -> bool:
        found = _truth_of(text)
        if found is None:
            raise Rejected(f"{text!r:.80} is neither true nor false")
        return found

    def from_file(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise Rejected(f"{shown(value)} is not true or false")
        return value


def _truth_of(text: str) -> bool | None:
    """Return what a word says, in any spelling of Go's, YAML's and Python's; None if neither."""
    word = text.strip().lower()
    if word in ("true", "t", "1", "yes", "y", "on"):
        return True
    if word in ("false", "f", "0", "no", "n", "off"):
        return False
    return None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in self.words:
            raise Rejected(f"{name}: {value!r:.80} is not one of {', '.join(self.words)}")

    def from_label(self, text: str) -> str:
        return one_of(self.words, text)

    def from_file(self, value: object) -> str:
        return text_of(value)


def one_of(words: tuple[str, ...], text: str) -> str:
    """Return the one of these words that a label's text is, in any case."""
    if text.lower() not in words:
        raise Rejected(f"{text!r} is not one of {', '.join(words)}")
    return text.lower()


@dataclass(frozen=True, slots=True)
class Switch(Choice):
    """`on` or `off`, which YAML 1.1 reads as true and false."""

    words: tuple[str, ...] = ("on", "off")

    def from_label(self, text: str) -> str:
        found = _truth_of(text)
        if found is None:
            return one_of(self.words, text)
        return "on" if found else "off"

    def from_file(self, value: object) -> str:
        if isinstance(value, bool):
            return "on" if value else "off"
        return text_of(value)


@dataclass(frozen=True, slots=True)
class ChoiceOrOff(Choice):
    """One of a few words, `off` among them, which YAML 1.1 reads as false."""

    def from_label(self, text: str) -> str:
        return "off" if _truth_of(text) is False else one_of(self.words, text)

    def from_file(self, value: object) -> str:
        return "off" if value is False else text_of(value)
