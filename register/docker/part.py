"""Read a JSON object of an engine field by field: what is odd costs itself alone. No I/O."""

import json
from typing import Any, TypeVar

from catalog.errors import Rejected

_T = TypeVar("_T")

SHOWN = 255  # characters of a name that are kept, as many as a record takes


class Part:
    """A JSON object, read field by field. What is missing, null or odd reads as empty.

    What is odd is noted in `odd`, one sentence each.
    """

    def __init__(self, where: str, document: object, odd: list[str]) -> None:
        if not isinstance(document, dict):
            raise Rejected(f"{where}: {type(document).__name__} instead of an object")
        self.where = where
        self._document = document
        self._odd = odd

    def note(self, what: str) -> None:
        """Note that something in this object is odd."""
        self._odd.append(f"{self.where}: {what}")

    def get(self, name: str) -> Any:
        return self._document.get(name)

    def _get(self, name: str, kind: type[_T], empty: _T) -> _T:
        value = self.get(name)
        if value is None:
            return empty
        # Python takes true and false for whole numbers.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.note(f"{name!a:.80} is {type(value).__name__} instead of {kind.__name__}")
            return empty
        return value

    def text(self, name: str) -> str:
        return self._get(name, str, "")

    def flag(self, name: str) -> bool:
        return self._get(name, bool, False)

    def whole(self, name: str) -> int:
        return self._get(name, int, 0)

    def scalar(self, name: str) -> str:
        """Return a text; also a number or a boolean as text, as engines and people differ."""
        value = self.get(name)
        return json.dumps(value)[:SHOWN] if isinstance(value, int) else self.text(name)

    def items(self, name: str) -> list[Any]:
        return self._get(name, list, [])

    def part(self, name: str) -> "Part":
        return Part(f"{self.where}.{shown(name)}", self._get(name, dict, {}), self._odd)

    def quiet(self) -> "Part":
        """Return the same object, of which nothing odd is noted."""
        return Part(self.where, self._document, odd=[])

    def names(self) -> tuple[str, ...]:
        return tuple(self._document)

    def texts(self) -> dict[str, str]:
        given = [name for name, value in self._document.items() if value is not None]
        return {name: self.scalar(name) for name in given}


def shown(text: str) -> str:
    """Return text that a record takes: a hostile name must not make its container unreadable."""
    return "".join(c if c.isprintable() else "?" for c in text)[:SHOWN]
