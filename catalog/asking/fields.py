"""Read the fields of what stands in etcd for people: each strictly, as anybody may have written it.

No I/O.
"""

import json
from collections.abc import Mapping
from typing import Any

from catalog.errors import Rejected
from catalog.records.json_object import object_of

VERSION = 1
BYTES_MAX = 64 * 1024
TEXT_MAX = 1000


def document_of(value: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object of this version in a value. Raises Rejected."""
    document = object_of(value, what, BYTES_MAX)
    if document.get("v") != VERSION:
        raise Rejected(f"{what}: v: {document.get('v')!r:.40} is unknown, expected {VERSION}")
    return document


def bytes_of(document: Mapping[str, Any]) -> bytes:
    """Return canonical JSON: the same object gives the same bytes."""
    return json.dumps({**document, "v": VERSION}, sort_keys=True, separators=(",", ":")).encode()


def printable(text: str) -> str:
    """Return a text as `text_in` takes it: in one line, and not too long."""
    shown = _one_line(text)
    return shown if len(shown) <= TEXT_MAX else f"{shown[: TEXT_MAX - 1]}…"


def printable_all(value: Any) -> Any:
    """Return a value of JSON with each text in it in one line, names of fields included."""
    if isinstance(value, str):
        return _one_line(value)
    if isinstance(value, dict):
        return {_one_line(name): printable_all(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(printable_all(each) for each in value)
    return value


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text)


def text_in(document: Mapping[str, Any], name: str, default: str | None = "") -> str:
    """Return a printable text; without a default it must be there. Raises Rejected."""
    value = document.get(name, default)
    if not isinstance(value, str) or len(value) > TEXT_MAX or not value.isprintable():
        raise _not(name, value, "a printable text")

    return value


def whole_in(document: Mapping[str, Any], name: str) -> int:
    """Return a whole number from 0, 0 if it is not there. Raises Rejected."""
    value = document.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise _not(name, value, "a whole number from 0")

    return value


def object_in(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object, empty if it is not there. Raises Rejected."""
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise _not(name, value, "an object")

    return value


def objects_in(document: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    """Return a list of objects, empty if it is not there. Raises Rejected."""
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise _not(name, value, "a list of objects")

    return tuple(value)


def texts_in(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of printable texts, empty if it is not there. Raises Rejected."""
    value = document.get(name, [])
    if not isinstance(value, list):
        raise _not(name, value, "a list of texts")

    return tuple(text_in({name: each}, name, None) for each in value)


def _not(name: str, value: object, right: str) -> Rejected:
    return Rejected(f"{name}: {value!r:.60} is not {right}")
