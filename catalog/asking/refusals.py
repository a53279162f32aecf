"""What a docker-register does not publish, as it stands under said/<host>/refused. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.asking.fields import (
    BYTES_MAX,
    bytes_of,
    document_of,
    objects_in,
    printable,
    text_in,
    texts_in,
    whole_in,
)


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """A container, or one of its ports, that is not published: a code and a sentence."""

    where: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusals:
    """All refusals of one host; `left_out` had no room.

    `kinds` are the kinds of question that its docker-register answers, `version` is its own: empty
    if it is too old to say it.
    """

    rows: tuple[Refusal, ...] = ()
    left_out: int = 0
    kinds: tuple[str, ...] = ()
    version: str = ""


def encode(refusals: Iterable[Refusal], kinds: Sequence[str] = (), version: str = "") -> bytes:
    """Return the canonical JSON, with as many refusals as there is room for."""
    every = [_row(each) for each in sorted(refusals)]
    rows = every
    said = {"kinds": list(kinds), "version": version}
    while len(value := _bytes(rows, len(every) - len(rows), said)) > BYTES_MAX:
        rows = rows[: len(rows) * BYTES_MAX // (len(value) + 1)]
    return value


def _row(refusal: Refusal) -> Mapping[str, str]:
    return {
        "where": printable(refusal.where),
        "code": refusal.code,
        "text": printable(refusal.text),
    }


def _bytes(rows: list[Mapping[str, str]], left_out: int, said: Mapping[str, Any]) -> bytes:
    return bytes_of({"refused": rows, "left_out": left_out, **said})


def decode(value: bytes) -> Refusals:
    """Return the refusals in a value, ignoring unknown fields. Raises Rejected."""
    document = document_of(value, "refusals")
    return Refusals(
        tuple(map(_refusal, objects_in(document, "refused"))),
        whole_in(document, "left_out"),
        texts_in(document, "kinds"),
        text_in(document, "version"),
    )


def _refusal(row: Mapping[str, Any]) -> Refusal:
    return Refusal(*(text_in(row, name, None) for name in ("where", "code", "text")))
