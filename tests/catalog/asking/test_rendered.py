"""haproxy.cfg travels packed, and without what is private."""

import random

import pytest

from catalog.asking.rendered import PART_MAX, packed, shown, unpacked
from catalog.errors import Rejected


def test_what_is_packed_is_unpacked_the_same() -> None:
    chance = random.Random(1)
    text = "".join(chance.choices("abcdefgh\n", k=300_000))
    parts = packed(text)
    assert len(parts) > 1
    assert max(map(len, parts)) <= PART_MAX
    assert unpacked(parts) == text


@pytest.mark.parametrize("parts", [["x"], ["AAAA"], packed("whole" * 9000)[:0], ["é"]])
def test_what_is_not_whole_is_refused(parts: list[str]) -> None:
    with pytest.raises(Rejected):
        unpacked(parts)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    bind 127.0.0.1:80", "    bind 127.0.0.1:80"),
        ("    stats auth me:secret", "    stats auth …"),
        ("    user me password 12", "    user me password …"),
        ("    http-request deny if x", "    # a line of a snippet, not shown"),
        ("# the password: none", "# the password: none"),
    ],
)
def test_secrets_and_lines_of_snippets_are_not_shown(line: str, expected: str) -> None:
    assert shown(line, frozenset({"http-request deny if x"})) == f"{expected}\n"


def test_no_line_reaches_a_terminal_as_a_command() -> None:
    assert unpacked(packed("a\tb\n\x1b[2Jc\n")) == "a   b\n?[2Jc\n"
