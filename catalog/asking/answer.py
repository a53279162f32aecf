"""What a sidecar answers to a question, as it stands under said/<host>/answers/. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from catalog.asking.fields import (
    BYTES_MAX,
    bytes_of,
    document_of,
    object_in,
    objects_in,
    printable,
    printable_all,
    text_in,
    whole_in,
)
from catalog.errors import Rejected

# `nothing`: there is no such thing here. `unknown`: a question of a kind that this version does
# not know. `failed`: HAProxy or the engine did not answer.
Status = Literal["answer", "nothing", "unknown", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known: facts about the whole, and a row for each server or container.

    `left_out` rows had no room.
    """

    status: Status = "answer"
    text: str = ""  # for people: why it is not an answer
    facts: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    left_out: int = 0


def unknown(kind: str, known: Sequence[str]) -> Answer:
    """Return the answer to a question of an unknown kind."""
    return Answer("unknown", f"{kind} is not known here, only {', '.join(known)}")


def encode(answer: Answer) -> bytes:
    """Return the canonical JSON, with as many rows as there is room for."""
    rows = answer.rows
    while len(value := _bytes(answer, rows)) > BYTES_MAX and rows:
        rows = rows[: len(rows) * BYTES_MAX // (len(value) + 1)]

    if len(value) <= BYTES_MAX:
        return value
    return _bytes(Answer("failed", "the answer is longer than 64 KiB"), ())


def _bytes(answer: Answer, rows: tuple[Mapping[str, Any], ...]) -> bytes:
    return bytes_of(
        {
            "status": answer.status,
            "text": printable(answer.text),
            "facts": dict(answer.facts),
            "rows": list(rows),
            "left_out": answer.left_out + len(answer.rows) - len(rows),
        }
    )


def decode(value: bytes) -> Answer:
    """Return the answer in a value, ignoring unknown fields. Raises Rejected.

    All its texts are printable: a terminal would obey what any host can write.
    """
    document = document_of(value, "answer")
    return Answer(
        _status(document.get("status")),
        text_in(document, "text"),
        printable_all(object_in(document, "facts")),
        printable_all(objects_in(document, "rows")),
        whole_in(document, "left_out"),
    )


def _status(value: object) -> Status:
    for status in STATUSES:
        if status == value:
            return status
    raise Rejected(f"answer: status: {value!r:.40} is none of {', '.join(STATUSES)}")
