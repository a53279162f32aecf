"""Colour and symbols: whether a stream may have them, and what they look like. No I/O.

Colour never says anything alone: the symbol or the word beside it does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

CHOICES = ("auto", "always", "never")
WHEN = "tandem.color"  # where a line's --color stands in click's context

_CODES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "head": "1"}
# What each symbol means, and what it is without UTF-8.
SYMBOLS = {"✓": "good", "✗": "bad", "‼": "warn", "–": "dim"}
PLAIN = {
    "✓": "+", "‼": "~", "✗": "!", "–": "-", "●": "+", "◐": "~", "▲": "!", "○": "-", "▓": "#",
    "░": ".", "→": "->", "…": "...",
}  # fmt: skip
_SYMBOL = re.compile(r"^(\s*)([✓✗‼–])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Look:
    """What may be written to a stream."""

    is_coloured: bool = False
    is_plain: bool = False  # without UTF-8

    def paint(self, text: str, kind: str) -> str:
        """Return a text in the colour of a kind: good, bad, warn, dim, head."""
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self.is_coloured else text

    def line(self, text: str) -> str:
        """Return a line with the symbol that it begins with in its colour, or all in ASCII."""
        if self.is_plain:
            return plain(text)
        return _SYMBOL.sub(lambda it: it[1] + self.paint(it[2], SYMBOLS[it[2]]), text)


def look_of(environ: Mapping[str, str], encoding: str, is_terminal: bool, when: str) -> Look:
    """Return how a stream may look: `--color` beats the variables, which beat the terminal."""
    return Look(_is_coloured(environ, is_terminal, when), "utf" not in encoding.lower())


def _is_coloured(environ: Mapping[str, str], is_terminal: bool, when: str) -> bool:
    if when != "auto":
        return when == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("CLICOLOR_FORCE", "FORCE_COLOR")):
        return True
    return is_terminal and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def plain(text: str) -> str:
    """Return a text with each symbol in ASCII."""
    for symbol, letter in PLAIN.items():
        text = text.replace(symbol, letter)
    return text


def may_move(environ: Mapping[str, str], is_out_terminal: bool, is_err_terminal: bool) -> bool:
    """Whether progress may move: a person looks at both streams."""
    is_watched = is_out_terminal and is_err_terminal
    return is_watched and not environ.get("CI") and environ.get("TERM") != "dumb"
