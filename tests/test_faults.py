"""docs/faults.md has every row of the fault catalogue, and every test that it names exists."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.catalogue import CATALOGUE

ROOT = Path(__file__).parent.parent
LINES = [
    line
    for line in (ROOT / "docs" / "faults.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]
ROWS = {int(line.split("|")[1]): [cell.strip() for cell in line.split("|")[1:-1]] for line in LINES}
KINDS = {kind.words(): kind for kind in CATALOGUE}


def test_every_row_is_there_once_and_has_all_its_cells() -> None:
    assert [int(line.split("|")[1]) for line in LINES] == list(range(1, 71))
    assert {len(cells) for cells in ROWS.values()} == {6}
    assert not [number for number, cells in ROWS.items() if not all(cells)]


@pytest.mark.parametrize("number", ROWS)
def test_every_test_that_is_named_exists(number: Any) -> None:
    for path, name in re.findall(r"`(tests/\S+\.py)::(\w+)`", ROWS[number][5]):
        assert f"def {name}(" in (ROOT / path).read_text(), path


def test_every_row_of_a_chaos_kind_names_it_and_no_other_is_named() -> None:
    named = {
        number: set(re.findall(r"chaos: ([a-z ]+)", cells[5])) - {"all"}
        for number, cells in ROWS.items()
    }

    assert set().union(*named.values()) == KINDS.keys()
    assert [
        (n, words) for n, kinds in named.items() for words in kinds if n not in KINDS[words].rows
    ] == []


def test_a_row_without_a_test_says_what_is_missing() -> None:
    untested = [cells for cells in ROWS.values() if cells[5] == "none"]

    assert all("not measured yet" in cells[4] for cells in untested)
