"""A flood of like lines is cut short, and says so; other lines pass."""

import logging

from sidecar.flood import AT_ONCE, Flood
from sidecar.log import Details


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def said(flood: Flood, words: str, **details: object) -> str | None:
    record = logging.LogRecord("it", logging.INFO, "", 0, words, (Details(details),), None)
    return record.getMessage() if flood.filter(record) else None


def test_a_flood_is_cut_short_and_counted() -> None:
    clock = Clock()
    flood = Flood(clock)

    lines = [said(flood, "published %s", service=n) for n in range(1000)]
    clock.now_s += 1
    after = [said(flood, "published %s", service=n) for n in range(4)]

    out = [line for line in lines if line]
    assert len(out) == AT_ONCE
    assert out[0] == "published service=0"
    assert out[-1].startswith(
        f"published service={AT_ONCE - 1}; more lines like this are suppressed"
    )
    assert (
        after[0] == f"published service=0; {1000 - AT_ONCE} earlier lines like this were suppressed"
    )
    assert after[-1] is None


def test_other_lines_pass_meanwhile() -> None:
    flood = Flood(Clock())
    for n in range(1000):
        said(flood, "%s", where=n, code="BAD_RECORD")

    assert said(flood, "%s", where=1, code="TEMPLATE_REFUSED") == "where=1 code=TEMPLATE_REFUSED"
    assert said(flood, "reloaded %s", why="x") == "reloaded why=x"


def test_slow_lines_are_never_left_out() -> None:
    clock = Clock()
    flood = Flood(clock)

    for n in range(500):
        assert said(flood, "published %s", service=n) is not None
        clock.now_s += 1
