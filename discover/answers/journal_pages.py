"""What docker-discover answers of its journal: the newest lines first, as many as have room."""

import time
from collections.abc import Mapping
from pathlib import Path

from catalog.asking.answer import Answer
from catalog.asking.inbox import Standing
from catalog.asking.journal import row_of
from catalog.asking.responder import Answerer, Found

LINES_MAX = 200  # in one answer; whoever wants more asks again, from the last one on
WORDS_MAX = 50
NUMBER_MAX = 1 << 62


def journal_answerer(path: Path) -> Answerer:
    """Return what answers questions about the journal in a file."""
    return lambda asked: Found(_page(path, asked))


def _page(path: Path, asked: Standing) -> Answer:
    # sqlite3 is for those who keep or read a journal.
    from discover.journal.file import Query, Unkept, read, revision_at  # noqa: PLC0415

    told, now_ms = asked.ask.arguments, round(time.time() * 1000)
    since_s = number_of(told, "since_s")
    query = Query(
        since=number_of(told, "since"),
        since_ms=now_ms - since_s * 1000 if since_s else 0,
        names=tuple(told.get("names", "").split())[:WORDS_MAX],
        kinds=tuple(told.get("kinds", "").split())[:WORDS_MAX],
        before=number_of(told, "before"),
        after=number_of(told, "after"),
        limit=min(number_of(told, "limit") or LINES_MAX, LINES_MAX),
    )
    facts: dict[str, int] = {}
    try:
        if ago_s := number_of(told, "ago_s"):
            facts["revision_then"] = revision_at(path, now_ms - ago_s * 1000) or 0
        lines = read(path, query)
        facts["more"] = int(len(lines) == query.limit)
    except Unkept as error:
        return Answer("failed", f"the journal cannot be read: {error}")
    return Answer(facts=facts, rows=tuple(map(row_of, lines)))


def number_of(told: Mapping[str, str], name: str) -> int:
    """Return a number that a question has, else 0: what anybody writes is not trusted."""
    text = told.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text), NUMBER_MAX) if is_number else 0
