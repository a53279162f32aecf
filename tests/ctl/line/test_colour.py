"""Colour: who decides, and that symbols have a form without it and without UTF-8."""

import pytest

from ctl.line.colour import Look, look_of, may_move


@pytest.mark.parametrize(
    ("environ", "is_terminal", "when", "is_coloured"),
    [
        ({}, True, "auto", True),
        ({}, False, "auto", False),
        ({"NO_COLOR": "1"}, True, "auto", False),
        ({"NO_COLOR": ""}, True, "auto", True),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, "auto", False),
        ({"CLICOLOR_FORCE": "1"}, False, "auto", True),
        ({"CLICOLOR_FORCE": "0"}, False, "auto", False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, "auto", True),
        ({"CLICOLOR": "0"}, True, "auto", False),
        ({"TERM": "dumb"}, True, "auto", False),
        ({"NO_COLOR": "1", "TERM": "dumb"}, False, "always", True),
        ({"CLICOLOR_FORCE": "1"}, True, "never", False),
    ],
)
def test_who_decides_on_colour(
    environ: dict[str, str], is_terminal: bool, when: str, is_coloured: bool
) -> None:
    assert look_of(environ, "utf-8", is_terminal, when).is_coloured == is_coloured


def test_only_the_symbol_at_the_beginning_is_painted() -> None:
    look = Look(is_coloured=True)
    assert look.line(" ✗ h1 ✓") == " \x1b[31m✗\x1b[0m h1 ✓"
    assert look.paint("x", "good") == "\x1b[32mx\x1b[0m"
    assert Look().line("✗ h1") == "✗ h1"


def test_without_utf_8_symbols_are_ascii() -> None:
    look = look_of({}, "ISO-8859-1", False, "auto")
    assert [look.line(it) for it in "✓‼✗–●◐▲○"] == list("+~!-+~!-")


def test_progress_moves_only_before_a_person() -> None:
    assert may_move({}, True, True)
    assert not may_move({}, True, False)
    assert not may_move({"CI": "true"}, True, True)
    assert not may_move({"TERM": "dumb"}, True, True)
