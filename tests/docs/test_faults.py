"""docs/faults.md has every entry of the fault catalogue, and every test that it names exists."""

import re

import pytest

from tests.chaos.catalogue import CATALOGUE
from tests.parts.markdown import ROOT, page

_ENTRY = re.compile(r"^### (\d+)\. (.+)\n((?:(?!#).*\n?)*)", re.MULTILINE)
_PART = re.compile(r"^- \*\*(.+?):\*\*(.*(?:\n  .*)*)", re.MULTILINE)


def parts_of(body: str) -> dict[str, str]:
    """Return the bullets of an entry by their names, each as one line."""
    return {name: " ".join(text.split()) for name, text in _PART.findall(body)}


FOUND = _ENTRY.findall(page("faults.md").text)
ENTRIES = {int(number): parts_of(body) for number, _fault, body in FOUND}
KINDS = {kind.words(): kind for kind in CATALOGUE}


def kinds_named_by(number: int) -> set[str]:
    return set(re.findall(r"chaos: ([a-z ]+)", ENTRIES[number]["Test"])) - {"all"}


def test_every_entry_is_there_once() -> None:
    assert [int(number) for number, _fault, _body in FOUND] == list(range(1, 71))


@pytest.mark.parametrize("number", ENTRIES)
def test_every_entry_has_all_its_parts(number: int) -> None:
    filled = [name for name, text in ENTRIES[number].items() if text]

    assert filled == ["Callers see", "Bound", "Measured", "Test"]


@pytest.mark.parametrize("number", ENTRIES)
def test_every_test_that_is_named_exists(number: int) -> None:
    named = re.findall(r"`(tests/[^`:]+\.py)(?:::(\w+))?`", ENTRIES[number]["Test"])
    lost = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]

    assert lost == []


def test_every_chaos_kind_is_named_and_no_other() -> None:
    named = {kind for number in ENTRIES for kind in kinds_named_by(number)}

    assert named == KINDS.keys()


@pytest.mark.parametrize("number", ENTRIES)
def test_an_entry_names_only_kinds_that_are_about_it(number: int) -> None:
    strange = [words for words in kinds_named_by(number) if number not in KINDS[words].rows]

    assert strange == []


@pytest.mark.parametrize("number", ENTRIES)
def test_an_entry_without_a_test_says_what_is_missing(number: int) -> None:
    entry = ENTRIES[number]

    assert entry["Test"] != "none" or "not measured yet" in entry["Measured"].lower()
