"""A JSON object from bytes that anyone may have written: small, unambiguous, or refused. No I/O."""

import json
from typing import Any, NoReturn

from catalog.errors import Rejected


def object_of(value: bytes, what: str, most_bytes: int) -> dict[str, Any]:
    """Return the object in a value. Raises Rejected, which begins with `what` it should be."""
    if len(value) > most_bytes:
        raise Rejected(f"{what}: {len(value)} bytes, at most {most_bytes} are read")

    try:
        document = json.loads(value, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"{what}: not JSON: {error}") from error

    if not isinstance(document, dict):
        raise Rejected(f"{what}: {type(document).__name__} instead of a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("one object has the same name twice")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259, section 6)")
